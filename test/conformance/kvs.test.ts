// The metadata suite over every engine. A new one is one more row.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KvState } from '../../src/meta/kv-state.js';
import { LevelKv } from '../../src/meta/level-kv.js';
import { MemoryRowDb } from '../../src/meta/memory-row-db.js';
import { kvSuite } from './kv.js';
import type { OpenedKv } from './kv-kit.js';

async function openLevel(): Promise<OpenedKv> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-kv-'));
  const open = () => LevelKv.open({ directory, nodeId: 'here' });
  let kv = await open();
  return {
    kv,
    async reopen() {
      await kv.close();
      kv = await open();
      return kv;
    },
    async close() {
      await kv.close();
      await rm(directory, { recursive: true });
    },
  };
}

async function openMemory(): Promise<OpenedKv> {
  const kv = new LevelKv(await KvState.open(new MemoryRowDb()), 'here');
  return { kv, close: () => kv.close() };
}

kvSuite({ name: 'LevelKv', open: openLevel });
kvSuite({ name: 'LevelKv over rows in memory', open: openMemory });
