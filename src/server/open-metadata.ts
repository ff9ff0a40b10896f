// Opens the metadata with the engine that the configuration names.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { compactRegularly } from '../meta/compact-regularly.js';
import { EtcdKv } from '../meta/etcd-kv.js';
import type { KvStore } from '../meta/kv.js';
import { KvState } from '../meta/kv-state.js';
import { LevelKv } from '../meta/level-kv.js';
import { MemoryRowDb } from '../meta/memory-row-db.js';
import type { Members } from '../meta/raft/members.js';
import type { ServerConfig } from './config.js';
import type { createLogger } from './logger.js';
import { type RaftThread, startRaftThread } from './raft-thread.js';

type Logger = ReturnType<typeof createLogger>;

export interface MetadataParts {
  readonly config: Pick<ServerConfig, 'data' | 'store' | 'nodeId' | 'meta' | 'raft' | 'etcd' | 'etcdPrefix'>;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called once, when the metadata on this machine takes no more writes. */
  readonly onPoisoned?: (() => void) | undefined;
}

export interface OpenedMetadata {
  readonly kv: KvStore;
  /** Of a Raft group; undefined for engines that have none. */
  readonly members: Members | undefined;
  close(): Promise<void>;
}

/** The data directory must be this process's. */
export async function openMetadata({ config, logger, clock, onPoisoned }: MetadataParts): Promise<OpenedMetadata> {
  if (config.meta === 'etcd') {
    // Its history is compacted as its operators say: others may use it.
    const kv = new EtcdKv({ endpoints: config.etcd, prefix: config.etcdPrefix, clock });
    return { kv, members: undefined, close: () => kv.close() };
  }
  const onFailed = (error: CairnError) => {
    logger.error({ err: error }, 'the metadata takes no more writes until the server is started again');
    onPoisoned?.();
  };
  const { kv, members } =
    config.meta === 'raft' ? await openGroup(config, logger, () => onPoisoned?.()) : await openLocal(config, onFailed);
  const stopCompacting = compactRegularly(kv, clock, limits.kvHistoryMilliseconds, (error) =>
    logger.warn({ err: error }, 'the history of the metadata was not compacted'),
  );
  return {
    kv,
    members,
    async close() {
      stopCompacting();
      await kv.close();
    },
  };
}

/** Metadata beside a store that was handed in is kept in memory alone. */
async function openLocal(
  { data, store, nodeId }: MetadataParts['config'],
  onFailed: (error: CairnError) => void,
): Promise<Omit<OpenedMetadata, 'close'>> {
  const kv =
    store === undefined
      ? await LevelKv.open({ directory: join(data, 'meta'), nodeId, onFailed })
      : new LevelKv(await KvState.open(new MemoryRowDb()), nodeId);
  return { kv, members: undefined };
}

function openGroup(
  { data, nodeId, raft }: MetadataParts['config'],
  logger: Logger,
  onFailed: () => void,
): Promise<RaftThread> {
  const { listen, founders, join: addresses, tls } = raft;
  const self = founders.find(({ name }) => name === nodeId);
  if (founders.length > 0 && self === undefined) {
    throw new CairnError('invalid_argument', `the node ${nodeId} is not among its peers`);
  }
  const advertise = raft.advertise ?? self?.address;
  const options = {
    name: nodeId,
    listen,
    advertise,
    founders: founders.length > 0 ? founders : [{ name: nodeId, address: advertise ?? '' }],
    join: addresses,
    tls: tls && { cert: readPem(tls.cert), key: readPem(tls.key), ca: readPem(tls.ca) },
  };
  return startRaftThread({ data: { directory: join(data, 'raft'), options }, logger, onFailed });
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CairnError('invalid_argument', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
