// Whom a node listens to: members of its group, each by one process, and nobody who has been let go.

import { Code, ConnectError, createClient, createRouterTransport } from '@connectrpc/connect';
import { beforeEach, expect, it } from 'vitest';
import { PeerService } from '../../../src/gen/cairn/raft/v1/peer_service_pb.js';
import type { Group } from '../../../src/meta/raft/group.js';
import { type PeerHost, peerService } from '../../../src/meta/raft/peer-service.js';
import { raftMessage } from '../../../src/meta/raft/raft-messages.js';
import type { Message } from '../../../src/raft/message.js';
import { foundingGroup } from '../../../src/raft/recovery.js';

const self = { id: 1, name: 'one', address: '127.0.0.1:1' };
const other = { id: 2, name: 'two', address: '127.0.0.1:2' };
const group: Group = { ...foundingGroup([1, 2], 1), members: [self, other], groupId: 'ours' };

let host: { group: Group; received: Message[] } & Pick<PeerHost, 'self' | 'proposeHere' | 'progressHere'>;
let client: ReturnType<typeof createClient<typeof PeerService>>;

beforeEach(() => {
  const received: Message[] = [];
  host = { self, group, received, proposeHere: async () => undefined, progressHere: () => [] };
  const served = {
    ...host,
    get group() {
      return host.group;
    },
    receive: (message: Message) => received.push(message),
  };
  const service = peerService(served as unknown as PeerHost);
  client = createClient(
    PeerService,
    createRouterTransport((router) => router.service(PeerService, service)),
  );
});

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'ok',
    (error: unknown) => Code[ConnectError.from(error).code],
  );

it.each([
  ['a member', { groupId: 'ours', from: 2n }, 'ok'],
  ['a stranger', { groupId: 'ours', from: 3n }, 'PermissionDenied'],
  ['a member of another group', { groupId: 'theirs', from: 2n }, 'PermissionDenied'],
])('calls of %s', async (_name, asker, want) => {
  expect(await codeOf(client.propose({ ...asker, command: new Uint8Array(0) }))).toBe(want);
  expect(await codeOf(client.progress(asker))).toBe(want);
});

const hail = { from: 2n, to: 1n, groupId: 'ours', incarnation: 'a' };
const heartbeat = raftMessage({ type: 'heartbeat', from: 2, to: 1, term: 1, commit: 1, round: 0 });

it('streams of a member are heard, until it is let go', async () => {
  let isHeard = () => {};
  const heard = new Promise<void>((resolve) => {
    isHeard = resolve;
  });
  const stream = async function* () {
    yield { hail, messages: [heartbeat] };
    await heard;
    host.group = { ...group, members: [self] };
    yield { messages: [heartbeat] };
  };
  const ended = codeOf(client.exchange(stream()));
  await expect.poll(() => host.received.length).toBe(1);
  isHeard();
  expect(await ended).toBe('PermissionDenied');
  expect(host.received.length).toBe(1);
});

it('an id belongs to one process at a time', async () => {
  let end = () => {};
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  const first = codeOf(
    client.exchange(
      (async function* () {
        yield { hail, messages: [heartbeat] };
        await over;
      })(),
    ),
  );
  await expect.poll(() => host.received.length).toBe(1);
  const claim = (incarnation: string) =>
    codeOf(
      client.exchange(
        (async function* () {
          yield { hail: { ...hail, incarnation } };
        })(),
      ),
    );
  expect(await claim('b')).toBe('PermissionDenied');
  expect(await claim('a')).toBe('ok');
  end();
  expect(await first).toBe('ok');
  expect(await claim('b')).toBe('ok');
});
