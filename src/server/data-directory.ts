// Opens the store in a data directory on this machine's disk, as the configuration says.

import { join } from 'node:path';
import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import type { IndexHome } from '../cas/index-db.js';
import { levelIndexHome } from '../cas/level-index.js';
import type { LocalStore } from '../cas/local-store.js';
import { openLocalStore } from '../cas/open-local-store.js';
import { nodeFileSystem } from '../log/node-file-system.js';
import type { ServerConfig } from './config.js';
import type { createLogger } from './logger.js';

export interface DataDirectoryParts {
  readonly config: Pick<ServerConfig, 'data' | 'durability' | 'indexMemoryBytes' | 'maintenanceIntervalMilliseconds'>;
  readonly logger: ReturnType<typeof createLogger>;
  readonly clock: Clock;
  readonly random: Random;
  /** Called once, when the store takes no more writes. */
  readonly onPoisoned?: (() => void) | undefined;
  /** Changes how the index is opened. */
  readonly adaptIndex?: (home: IndexHome) => IndexHome;
}

/** `failed_precondition` when another process has the directory open, or a newer program wrote it. */
export function openDataDirectory({ config, logger, adaptIndex, ...parts }: DataDirectoryParts): Promise<LocalStore> {
  const index = levelIndexHome(join(config.data, 'index'));
  return openLocalStore({
    ...parts,
    directory: config.data,
    fs: nodeFileSystem,
    index: adaptIndex?.(index) ?? index,
    durability: config.durability,
    indexMemoryBytes: config.indexMemoryBytes,
    tableSaveChangesMin: limits.tableSaveChangesMin,
    segmentBytesTarget: limits.segmentBytesTarget,
    maintenanceIntervalMilliseconds: config.maintenanceIntervalMilliseconds,
    report: (level, message, details) => logger[level](details, message),
  });
}
