import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { errorCode } from '../../../src/base/errors.js';
import { prefixRange, textKey } from '../../../src/meta/keys.js';
import type { KvStore } from '../../../src/meta/kv.js';
import { freePorts } from '../../support/free-ports.js';
import { foundGroup, restartNode, type StartedNode, startNode } from '../../support/raft-nodes.js';

let directory: string;
let nodes: StartedNode[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-raft-'));
  nodes = [];
});

afterEach(async () => {
  await Promise.all(nodes.map(({ kv }) => kv.close()));
  await rm(directory, { recursive: true });
});

const put = (key: string, value = '') => ({ kind: 'put' as const, key: textKey(key), value: textKey(value) });
const write = (kv: KvStore, key: string, value = '') => kv.txn({ success: [put(key, value)] });
const read = async (kv: KvStore, key: string) => {
  const found = await kv.get(textKey(key));
  return found && new TextDecoder().decode(found.value);
};

async function leader(): Promise<StartedNode> {
  await expect
    .poll(() => nodes.filter(({ node }) => node.status().role === 'leader').length, { timeout: 10_000 })
    .toBe(1);
  return nodes.find(({ node }) => node.status().role === 'leader')!;
}

const others = (one: StartedNode) => nodes.filter((node) => node !== one);

it('founds a group of three, in which every node takes every call', { timeout: 20_000 }, async () => {
  nodes = await foundGroup(directory, 3);
  for (const [i, { kv }] of nodes.entries()) {
    const { revision } = await write(kv, 'key', `${i}`);
    for (const other of nodes) {
      expect(await read(other.kv, 'key')).toBe(`${i}`);
      expect(await other.kv.get(textKey('key'))).toMatchObject({ revision });
    }
  }
  const statuses = await Promise.all(nodes.map(({ kv }) => kv.status()));
  expect(statuses.filter(({ role }) => role === 'leader').length).toBe(1);
  expect(new Set(statuses.map(({ leaderId }) => leaderId)).size).toBe(1);
  for (const { nodeId, peers } of statuses) {
    const names = ['node-1', 'node-2', 'node-3'].filter((name) => name !== nodeId);
    expect(peers.map((peer) => peer.nodeId).sort()).toEqual(names);
  }
});

it('goes on without its leader, and takes it back with all that it missed', { timeout: 30_000 }, async () => {
  nodes = await foundGroup(directory, 3);
  const first = await leader();
  await write(first.kv, 'before', 'yes');
  await first.kv.close();
  const rest = others(first);
  await expect
    .poll(
      () =>
        write(rest[0]!.kv, 'meanwhile', 'yes').then(
          () => true,
          () => false,
        ),
      { timeout: 15_000 },
    )
    .toBe(true);
  expect(await read(rest[1]!.kv, 'before')).toBe('yes');
  const back = await restartNode(directory, first);
  nodes = [...rest, back];
  expect(await read(back.kv, 'meanwhile')).toBe('yes');
});

it('keeps everything when all stop at once', { timeout: 30_000 }, async () => {
  nodes = await foundGroup(directory, 3);
  await Promise.all(Array.from({ length: 200 }, (_, i) => write(nodes[i % 3]!.kv, `key ${i}`, `${i}`)));
  await Promise.all(nodes.map(({ kv }) => kv.close()));
  nodes = await Promise.all(nodes.map((node) => restartNode(directory, node)));
  const { items } = await nodes[0]!.kv.range(prefixRange(textKey('key ')));
  expect(items.length).toBe(200);
});

it('brings a node by a snapshot to where the log no longer begins', { timeout: 60_000 }, async () => {
  nodes = await foundGroup(directory, 3);
  const late = others(await leader())[0]!;
  const watch = late.kv.watch(prefixRange(textKey('big')), { from: 1 })[Symbol.asyncIterator]();
  await late.kv.close();
  await expect(watch.next().catch(errorCode)).resolves.toBe('unavailable');
  const present = others(late);
  // More than the log keeps.
  const value = 'x'.repeat(1_000_000);
  for (let i = 0; i < 40; i++) await write(present[0]!.kv, `big ${i % 5}`, value);
  const back = await restartNode(directory, late);
  nodes = [...present, back];
  const { items } = await back.kv.range(prefixRange(textKey('big')), { keysOnly: true });
  expect(items.length).toBe(5);
  expect(back.node.status().firstIndex).toBeGreaterThan(2);
  // History came along.
  const again = back.kv.watch(prefixRange(textKey('big')), { from: 1 })[Symbol.asyncIterator]();
  for (let i = 0; i < 40; i++) expect((await again.next()).value?.events.length).toBe(1);
  await again.return?.(undefined as never);
});

it('takes in nobody who would not understand what it writes', { timeout: 60_000 }, async () => {
  nodes = await foundGroup(directory, 3, { versionMax: 2 });
  const first = await leader();
  await expect.poll(() => first.node.raiseVersion(2).catch(errorCode), { timeout: 10_000 }).toBeUndefined();
  const [port] = await freePorts(1);
  const older = { name: 'node-4', listen: { host: '127.0.0.1', port: port! }, join: [first.node.self.address] };
  await expect(startNode(directory, { ...older, versionMax: 1 })).rejects.toMatchObject({
    code: 'failed_precondition',
  });
  // One that does not look is refused by the group, which it asks through a member that passes it on.
  const member = { id: 4, name: 'node-4', address: '127.0.0.1:1' };
  const asking = others(first)[0]!.node.changeMembers([{ kind: 'learner', member, versionMax: 1 }]);
  await expect(asking).rejects.toMatchObject({ code: 'failed_precondition' });
  expect(first.node.group?.members.length).toBe(3);
  // Nor does a member come back as what it was once.
  const back = others(first)[0]!;
  await write(first.kv, 'before', 'yes');
  expect(await read(back.kv, 'before')).toBe('yes');
  await back.kv.close();
  nodes = others(back);
  await expect(startNode(directory, { ...back.options, versionMax: 1 })).rejects.toMatchObject({
    code: 'failed_precondition',
  });
  nodes.push(await restartNode(directory, back), await startNode(directory, { ...older, versionMax: 2 }));
  await write(nodes[3]!.kv, 'after', 'yes');
});

it('takes nodes in, lets them go, and refuses who is none of it', { timeout: 60_000 }, async () => {
  nodes = await foundGroup(directory, 3);
  const [port] = await freePorts(1);
  const listen = { host: '127.0.0.1', port: port! };
  const join = [nodes[0]!.node.self.address];
  await write(nodes[0]!.kv, 'before', 'yes');
  const fourth = await startNode(directory, { name: 'node-4', listen, join });
  nodes.push(fourth);
  expect(await read(fourth.kv, 'before')).toBe('yes');
  await expect.poll(() => fourth.node.group?.configuration.voters.length, { timeout: 15_000 }).toBe(4);

  const gone = nodes[1]!;
  await nodes[0]!.node.changeMembers([{ kind: 'remove', member: gone.node.self }]);
  await expect.poll(() => fourth.node.group?.configuration.voters.includes(gone.node.self.id)).toBe(false);
  expect(fourth.node.group?.members.map(({ name }) => name).sort()).toEqual(['node-1', 'node-3', 'node-4']);
  await expect.poll(() => write(gone.kv, 'late').catch(errorCode), { timeout: 25_000 }).toBe('unavailable');
  await write(fourth.kv, 'after', 'yes');
  expect(await read(nodes[0]!.kv, 'after')).toBe('yes');
});
