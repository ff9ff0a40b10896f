// Metadata: what engines make durable, and how soon they answer. The yardstick is LevelDB by itself, which has no revisions,
// no conditions and no history. Groups of three have all their nodes on this machine and its disk. Over MetaService a server of
// ours is between, the same for each engine; the engines at hand are called in the client's own process.

import { join } from 'node:path';
import { Level } from 'level';
import { systemClock } from '../src/base/clock.js';
import { EtcdKv } from '../src/meta/etcd-kv.js';
import { textKey } from '../src/meta/keys.js';
import type { KvStore, ReadOptions } from '../src/meta/kv.js';
import { LevelKv } from '../src/meta/level-kv.js';
import { etcdProgram, startEtcd } from '../test/support/etcd.js';
import { concurrently, type Scenario, type Subject } from './harness.js';
import { leaderOf, type MetadataServer, startGroup, startServer } from './metadata-servers.js';

const valueBytes = 256;
const keyCountMax = 1000;

export const aboutMetadata = `A put is answered when it is durable: synced to LevelDB, or to the logs of a majority of the nodes. All nodes share one disk and
the same processors with the client, which spends less on our servers than on etcd at hand. A linearizable read over raft or etcd asks
whether the leader still leads; a stale one does not.`;

interface Engine {
  readonly name: string;
  put(key: Uint8Array, value: Uint8Array): Promise<void>;
  get(key: Uint8Array, options?: ReadOptions): Promise<unknown>;
  close(): Promise<void>;
}

export interface MetadataScenarios {
  readonly scenarios: readonly Scenario[];
  close(): Promise<void>;
}

/** All over the same engines, one after the other; `scale` is 1 for a real run, less for a look. */
export async function metadataScenarios(directory: string, scale: number): Promise<MetadataScenarios> {
  const engines = await openEngines(directory, scale === 1);
  const some = (count: number) => Math.ceil(count * scale);
  const keyCount = some(keyCountMax);
  const keys = Array.from({ length: keyCount }, (_, i) => textKey(`key/${i}`));
  for (const { put } of engines) await concurrently(64, keyCount, (i) => put(keys[i]!, keys[i]!));
  const value = new Uint8Array(valueBytes).fill(7);
  const puts = (width: number, count: number) =>
    scenario(`durable puts of ${valueBytes} bytes, ${width} at once`, 'puts', engines, ({ put }) => async () => {
      await concurrently(width, count, (i) => put(keys[i % keyCount]!, value));
      return count;
    });
  // With one at once, the time of a read is what one second holds of them.
  const reads = (kind: 'linearizable' | 'stale', width: number, count: number) =>
    scenario(`${kind} reads of one key, ${width} at once`, 'reads', engines, ({ get }) => async () => {
      const options = { stale: kind === 'stale' };
      await concurrently(width, count, async (i) => void (await get(keys[i % keyCount]!, options)));
      return count;
    });
  return {
    scenarios: [
      puts(64, some(1500)),
      puts(1, some(100)),
      reads('linearizable', 64, some(3000)),
      reads('linearizable', 1, some(250)),
      reads('stale', 1, some(250)),
    ],
    close: async () => {
      for (const { close } of engines) await close();
    },
  };
}

/** `inEverySize`: groups of one node, too, and of three. */
async function openEngines(directory: string, inEverySize: boolean): Promise<Engine[]> {
  const bare = new Level<Uint8Array, Uint8Array>(join(directory, 'bare'), {
    keyEncoding: 'view',
    valueEncoding: 'view',
  });
  await bare.open();
  const group = await startGroup(join(directory, 'group'), 3);
  const leader = await leaderOf(group);
  const [follower, third] = group.filter((server) => server !== leader) as [MetadataServer, MetadataServer];
  const engines: Engine[] = [
    {
      name: 'LevelDB by itself, synced puts',
      put: (key, value) => bare.batch([{ type: 'put', key, value }], { sync: true }),
      get: (key) => bare.get(key),
      close: () => bare.close(),
    },
    engine('level', await LevelKv.open({ directory: join(directory, 'level'), nodeId: 'bench' })),
    served('level, over MetaService', await startServer(join(directory, 'served'))),
    served('raft, 3 nodes, over MetaService of the leader', leader),
    served('raft, 3 nodes, of a follower', { ...follower, close: () => follower.close().then(() => third.close()) }),
  ];
  if (inEverySize) {
    const [alone] = await startGroup(join(directory, 'alone'), 1);
    engines.push(served('raft, one node, over MetaService', alone!));
  }
  if (etcdProgram === undefined) {
    process.stderr.write('SKIPPED rows of etcd: it is not installed\n');
    return engines;
  }
  const sizes = [
    [1, 'one member'],
    [3, '3 members'],
  ] as const;
  for (const [size, members] of inEverySize ? sizes : sizes.slice(0, 1)) {
    const { endpoints, stop } = await startEtcd(etcdProgram, size);
    const kv = new EtcdKv({ endpoints, prefix: 'bench/', clock: systemClock });
    const flags = ['--meta', 'etcd', ...endpoints.flatMap((url) => ['--etcd', url])];
    const between = served(`etcd, ${members}, over MetaService`, await startServer(join(directory, members), flags));
    const atHand = engine(`etcd, ${members}`, kv);
    engines.push(between, { ...atHand, close: () => atHand.close().then(stop) });
  }
  return engines;
}

function served(name: string, { kv, close }: MetadataServer): Engine {
  return { ...engine(name, kv), close };
}

function engine(name: string, kv: KvStore): Engine {
  return {
    name,
    put: async (key, value) => void (await kv.txn({ success: [{ kind: 'put', key, value }] })),
    get: (key, options) => kv.get(key, options),
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
