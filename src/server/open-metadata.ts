// Opens the metadata with the engine that the configuration names.

import { join } from 'node:path';
import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';
import { compactRegularly } from '../meta/compact-regularly.js';
import type { KvStore } from '../meta/kv.js';
import { KvState } from '../meta/kv-state.js';
import { LevelKv } from '../meta/level-kv.js';
import { MemoryRowDb } from '../meta/memory-row-db.js';
import type { ServerConfig } from './config.js';
import type { createLogger } from './logger.js';

export interface MetadataParts {
  readonly config: Pick<ServerConfig, 'data' | 'store' | 'nodeId'>;
  readonly logger: ReturnType<typeof createLogger>;
  readonly clock: Clock;
}

export interface OpenedMetadata {
  readonly kv: KvStore;
  close(): Promise<void>;
}

/** The data directory must be this process's. Metadata beside a store that was handed in is kept in memory alone. */
export async function openMetadata({ config, logger, clock }: MetadataParts): Promise<OpenedMetadata> {
  const { data, store, nodeId } = config;
  const kv =
    store === undefined
      ? await LevelKv.open({ directory: join(data, 'meta'), nodeId })
      : new LevelKv(await KvState.open(new MemoryRowDb()), nodeId);
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
