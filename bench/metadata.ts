// Metadata: what engines make durable, and how soon they answer. The yardstick is LevelDB by itself, which has no revisions,
// no conditions and no history. Groups of three have all their nodes on this machine and its disk.

import { join } from 'node:path';
import { Level } from 'level';
import { systemClock } from '../src/base/clock.js';
import { EtcdKv } from '../src/meta/etcd-kv.js';
import { textKey } from '../src/meta/keys.js';
import type { KvStore } from '../src/meta/kv.js';
import { LevelKv } from '../src/meta/level-kv.js';
import { etcdProgram, startEtcd } from '../test/support/etcd.js';
import { concurrently, type Scenario, type Subject } from './harness.js';
import { leaderOf, type MetadataServer, startGroup, startServer } from './metadata-servers.js';

const valueBytes = 256;
const keyCount = 1000;
const keys = Array.from({ length: keyCount }, (_, i) => textKey(`key/${i}`));

interface Engine {
  readonly name: string;
  put(key: Uint8Array, value: Uint8Array): Promise<void>;
  get(key: Uint8Array): Promise<unknown>;
  close(): Promise<void>;
}

export interface MetadataScenarios {
  readonly scenarios: readonly Scenario[];
  close(): Promise<void>;
}

/** All over the same engines, one after the other; `scale` is 1 for a real run, less for a look. */
export async function metadataScenarios(directory: string, scale: number): Promise<MetadataScenarios> {
  const engines = await openEngines(directory);
  const some = (count: number) => Math.ceil(count * scale);
  for (const { put } of engines) await concurrently(64, some(keyCount), (i) => put(keys[i]!, keys[i]!));
  const value = new Uint8Array(valueBytes).fill(7);
  const puts = (width: number, count: number) =>
    scenario(`durable puts of ${valueBytes} bytes, ${width} at once`, 'puts', engines, ({ put }) => async () => {
      await concurrently(width, count, (i) => put(keys[i % keyCount]!, value));
      return count;
    });
  // With one at once, the time of a read is what one second holds of them.
  const reads = (width: number, count: number) =>
    scenario(`linearizable reads of one key, ${width} at once`, 'reads', engines, ({ get }) => async () => {
      await concurrently(width, count, async (i) => void (await get(keys[i % keyCount]!)));
      return count;
    });
  return {
    scenarios: [puts(64, some(2000)), puts(1, some(200)), reads(64, some(4000)), reads(1, some(500))],
    close: async () => {
      for (const { close } of engines) await close();
    },
  };
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
    await served('level, over MetaService', [await startServer(join(directory, 'served'))]),
    await served('raft, 3 nodes, over MetaService of the leader', await startGroup(directory, 3)),
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

/** One server; of a group, its leader is asked. */
async function served(name: string, servers: readonly MetadataServer[]): Promise<Engine> {
  return {
    ...engine(name, (await leaderOf(servers)).kv),
    close: async () => void (await Promise.all(servers.map((server) => server.close()))),
  };
}

function engine(name: string, kv: KvStore): Engine {
  return {
    name,
    put: async (key, value) => void (await kv.txn({ success: [{ kind: 'put', key, value }] })),
    get: (key) => kv.get(key),
    close: () => kv.close(),
  };
}

function scenario(
  title: string,
  unit: string,
  engines: readonly Engine[],
  runOf: (engine: Engine) => Subject['run'],
): Scenario {
  return {
    title: `Metadata: ${title}`,
    unit,
    yardstickCount: 1,
    subjects: engines.map((engine) => ({ name: engine.name, run: runOf(engine) })),
    close: async () => {},
  };
}
