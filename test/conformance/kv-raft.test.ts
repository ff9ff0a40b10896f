// The metadata suite over a group of three `cairn serve --meta raft` processes. Each test asks another of them, over RPC.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { RaftProcesses } from '../support/raft-processes.js';
import { kvSuite } from './kv.js';
import { openRemoteKv } from './kv-kit.js';

let directory: string;
let group: RaftProcesses;
let asked = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-raft-'));
  group = await RaftProcesses.start(directory, 3);
}, 60_000);

afterAll(async () => {
  await group?.stop();
  await rm(directory, { recursive: true, force: true });
});

kvSuite({
  name: 'three processes of a Raft group',
  open: () => openRemoteKv(group.urls[asked++ % group.urls.length]!),
});
