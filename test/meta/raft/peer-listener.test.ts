// Mutual TLS between nodes: who has no certificate, an ended one, one of another authority or one that is no node's stays out.

import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PeerService } from '../../../src/gen/cairn/raft/v1/peer_service_pb.js';
import { textKey } from '../../../src/meta/keys.js';
import type { PeerTls } from '../../../src/meta/raft/peer-links.js';
import { type CertificateFile, useAuthority } from '../../support/certificates.js';
import { foundGroup, type StartedNode } from '../../support/raft-nodes.js';

let directory: string;
const authority = useAuthority();
const stranger = useAuthority();
let nodes: StartedNode[];

const pems = ({ cert, key }: CertificateFile) => ({ cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-raft-'));
  const tls: PeerTls = { ...pems(authority.issue('node/OU=node')), ca: `${authority.trusted}` };
  nodes = await foundGroup(directory, 3, { tls });
}, 30_000);

afterAll(async () => {
  await Promise.all(nodes.map(({ kv }) => kv.close()));
  await rm(directory, { recursive: true });
});

async function hello(options: { readonly cert?: string; readonly key?: string }, scheme = 'https'): Promise<string> {
  const { address } = nodes[0]!.node.self;
  const nodeOptions = { ca: authority.trusted, ...options };
  const transport = createGrpcTransport({ baseUrl: `${scheme}://${address}`, nodeOptions });
  try {
    const { member } = await createClient(PeerService, transport).hello({}, { timeoutMs: 3000 });
    return member!.name;
  } catch {
    return 'refused';
  }
}

it('nodes understand each other', async () => {
  await nodes[0]!.kv.txn({ success: [{ kind: 'put', key: textKey('a'), value: textKey('b') }] });
  for (const { kv } of nodes) expect(await kv.get(textKey('a'))).toBeDefined();
});

it.each([
  ["a node's certificate", () => authority.issue('other/OU=node'), 'node-1'],
  ['no certificate', () => undefined, 'refused'],
  ["a client's certificate", () => authority.issue('ann'), 'refused'],
  ['one that has ended', () => authority.issue('node/OU=node', { days: 0 }), 'refused'],
  ['one of another authority', () => stranger.issue('node/OU=node'), 'refused'],
])('%s', async (_name, issue, want) => {
  const certificate = issue();
  expect(await hello(certificate === undefined ? {} : pems(certificate))).toBe(want);
});

it('plain text', async () => {
  expect(await hello({}, 'http')).toBe('refused');
});
