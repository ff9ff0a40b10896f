import { describe, expect, it } from 'vitest';
import { errorCode } from '../../src/base/errors.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { Maintenance } from '../../src/cluster/maintenance.js';
import { MaintenanceStore } from '../../src/cluster/maintenance-store.js';
import { LevelKv } from '../../src/meta/level-kv.js';
import { withDirectory } from '../support/local-store.js';

const bytes = Buffer.from('hello');
const digest = digestBlob(bytes);

describe('a store in maintenance', () => {
  it('takes nothing new, and answers all else', () =>
    withDirectory(async (directory) => {
      const kv = await LevelKv.open({ directory, nodeId: 'here' });
      try {
        const maintenance = await Maintenance.open(kv, 'here');
        const store = new MaintenanceStore(new MemoryStore(), maintenance);
        await store.write(bytes);
        await maintenance.set(true);
        expect(await store.write(bytes).catch(errorCode)).toBe('no_node');
        expect(await store.writeMany([{ digest, bytes }]).catch(errorCode)).toBe('no_node');
        expect(await store.stat([digest.hash])).toEqual([{ size: 5 }]);
        expect(await store.list({ limit: 2 })).toHaveLength(1);
        expect((await Maintenance.open(kv, 'here')).active).toBe(true);
        expect((await Maintenance.open(kv, 'there')).active).toBe(false);
        expect(await store.delete([digest.hash])).toEqual([true]);
        await maintenance.set(false);
        await store.write(bytes);
      } finally {
        await kv.close();
      }
    }));
});
