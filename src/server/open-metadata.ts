// Opens the metadata with the engine that the configuration names.

import { join } from 'node:path';
import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';
import { compactRegularly } from '../meta/compact-regularly.js';
import { EtcdKv } from '../meta/etcd-kv.js';
import type { KvStore } from '../meta/kv.js';
import { KvState } from '../meta/kv-state.js';
import { LevelKv } from '../meta/level-kv.js';
import { MemoryRowDb } from '../meta/memory-row-db.js';
import type { ServerConfig } from './config.js';
import type { createLogger } from './logger.js';

export interface MetadataParts {
  readonly config: Pick<ServerConfig, 'data' | 'store' | 'nodeId' | 'meta' | 'etcd' | 'etcdPrefix'>;
  readonly logger: ReturnType<typeof createLogger>;
  readonly clock: Clock;
}

export interface OpenedMetadata {
  readonly kv: KvStore;
  close(): Promise<void>;
}

/** The data directory must be this process's. */
export async function openMetadata({ config, logger, clock }: MetadataParts): Promise<OpenedMetadata> {
  if (config.meta === 'etcd') {
    // Its history is compacted as its operators say: others may use it.
    const kv = new EtcdKv({ endpoints: config.etcd, prefix: config.etcdPrefix, clock });
    return { kv, close: () => kv.close() };
  }
  const kv = await openLocal(config);
  const stopCompacting = compactRegularly(kv, clock, limits.kvHistoryMilliseconds, (error) =>
    logger.warn({ err: error }, 'the history of the metadata was not compacted'),
  );
  return {
    kv,
    async close() {
      stopCompacting();
      await kv.close();
    },
  };
}

/** Metadata beside a store that was handed in is kept in memory alone. */
async function openLocal({ data, store, nodeId }: MetadataParts['config']): Promise<LevelKv> {
  if (store !== undefined) return new LevelKv(await KvState.open(new MemoryRowDb()), nodeId);
  return LevelKv.open({ directory: join(data, 'meta'), nodeId });
}
