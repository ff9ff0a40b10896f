import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemRandom } from '../../src/base/random.js';
import { ensureClusterId } from '../../src/cluster/cluster-id.js';
import { LevelKv } from '../../src/meta/level-kv.js';
import { withDirectory } from '../support/local-store.js';

it('a cluster has one id, whoever makes it up', () =>
  withDirectory(async (directory) => {
    const kv = await LevelKv.open({ directory: join(directory, 'kv'), nodeId: 'here' });
    try {
      const ids = await Promise.all(Array.from({ length: 10 }, () => ensureClusterId(kv, systemRandom)));
      expect(new Set(ids).size).toBe(1);
      expect(ids[0]).toMatch(/^cairn-[0-9a-f]{12}$/);
      expect(await ensureClusterId(kv, systemRandom)).toBe(ids[0]);
    } finally {
      await kv.close();
    }
  }));
