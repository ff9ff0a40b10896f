// The metadata suite over a group of three Raft nodes with real disks and connections. Each test asks another of them.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { RaftKv } from '../../src/meta/raft/raft-kv.js';
import { foundGroup, type StartedNode } from '../support/raft-nodes.js';
import { kvSuite } from './kv.js';

let directory: string;
let nodes: StartedNode[];
let asked = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-raft-'));
  nodes = await foundGroup(directory, 3);
});

afterAll(async () => {
  await Promise.all(nodes.map(({ kv }) => kv.close()));
  await rm(directory, { recursive: true });
});

kvSuite({
  name: 'RaftKv',
  open: async () => {
    const { node } = nodes[asked++ % nodes.length]!;
    // The node outlives the store of one test.
    const kv = new RaftKv(
      new Proxy(node, { get: (target, name) => (name === 'close' ? async () => {} : bound(target, name)) }),
    );
    return { kv, close: () => kv.close() };
  },
});

function bound<T extends object>(target: T, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name, target);
  return typeof value === 'function' ? value.bind(target) : value;
}
