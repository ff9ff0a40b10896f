// Metadata: what engines make durable, and how soon they answer. The yardstick is LevelDB by itself, which has no revisions,
// no conditions and no history.

import { join } from 'node:path';
import { Level } from 'level';
import { systemClock } from '../src/base/clock.js';
import { EtcdKv } from '../src/meta/etcd-kv.js';
import { textKey } from '../src/meta/keys.js';
import type { KvStore } from '../src/meta/kv.js';
import { LevelKv } from '../src/meta/level-kv.js';
import { etcdProgram, startEtcd } from '../test/support/etcd.js';
import { concurrently, type Scenario, type Subject } from './harness.js';

const valueBytes = 256;
const keyCount = 1000;

interface Engine {
  readonly name: string;
  put(key: Uint8Array, value: Uint8Array): Promise<void>;
  get(key: Uint8Array): Promise<unknown>;
  close(): Promise<void>;
}

async function openEngines(directory: string): Promise<Engine[]> {
  const bare = new Level<Uint8Array, Uint8Array>(join(directory, 'bare'), {
    keyEncoding: 'view',
    valueEncoding: 'view',
  });
  await bare.open();
  const engines: Engine[] = [
    {
      name: 'LevelDB by itself, synced puts',
      put: (key, value) => bare.batch([{ type: 'put', key, value }], { sync: true }),
      get: (key) => bare.get(key),
      close: () => bare.close(),
    },
    engine('level', await LevelKv.open({ directory: join(directory, 'level'), nodeId: 'bench' })),
  ];
  if (etcdProgram === undefined) {
    process.stderr.write('SKIPPED rows of etcd: it is not installed\n');
    return engines;
  }
  for (const size of [1, 3]) {
    const cluster = await startEtcd(etcdProgram, size);
    const kv = new EtcdKv({ endpoints: cluster.endpoints, prefix: 'bench/', clock: systemClock });
    const { close, ...calls } = engine(`etcd, ${size === 1 ? 'one member' : `${size} members`}`, kv);
    engines.push({ ...calls, close: () => close().then(() => cluster.stop()) });
  }
  return engines;
}

function engine(name: string, kv: KvStore): Engine {
  return {
    name,
    put: async (key, value) => void (await kv.txn({ success: [{ kind: 'put', key, value }] })),
    get: (key) => kv.get(key),
    close: () => kv.close(),
  };
}

/** Puts by so many writers at once; every one is durable when it is answered. */
export async function metadataWrites(directory: string, writers: number, count: number): Promise<Scenario> {
  return scenario(directory, `Metadata: durable puts of ${valueBytes} bytes, ${writers} at once`, 'puts', (engine) => {
    const value = new Uint8Array(valueBytes).fill(7);
    return async () => {
      await concurrently(writers, count, (i) => engine.put(textKey(`key/${i % keyCount}`), value));
      return count;
    };
  });
}

/** Linearizable reads of one key, so many at once: with one, the time of a read is what one second holds of them. */
export async function metadataReads(directory: string, readers: number, count: number): Promise<Scenario> {
  return scenario(directory, `Metadata: linearizable reads of one key, ${readers} at once`, 'reads', (engine) => {
    const keys = Array.from({ length: keyCount }, (_, i) => textKey(`key/${i}`));
    let filled = false;
    return async () => {
      if (!filled) for (const key of keys) await engine.put(key, key);
      filled = true;
      await concurrently(readers, count, async (i) => void (await engine.get(keys[i % keyCount]!)));
      return count;
    };
  });
}

async function scenario(
  directory: string,
  title: string,
  unit: string,
  runOf: (engine: Engine) => Subject['run'],
): Promise<Scenario> {
  const engines = await openEngines(directory);
  return {
    title,
    unit,
    yardstickCount: 1,
    subjects: engines.map((engine) => ({ name: engine.name, run: runOf(engine) })),
    close: async () => {
      for (const engine of engines) await engine.close();
    },
  };
}
