// Makes the index of a stopped store anew from its log alone: the store is opened, under its lock, with an index that
// begins empty, and closed again.

import { join } from 'node:path';
import type { StoreUsage } from '../base/blob-store.js';
import { systemClock } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { systemRandom } from '../base/random.js';
import { levelIndexHome } from '../cas/level-index.js';
import { openLocalStore } from '../cas/open-local-store.js';
import { nodeFileSystem } from '../log/node-file-system.js';
import { serverConfig } from './config.js';
import { createLogger } from './logger.js';

/**
 * What the store holds afterwards. `failed_precondition` when a server has it open, `not_found` when the directory is no
 * store.
 */
export async function rebuildIndex(data: string): Promise<StoreUsage> {
  if (!(await nodeFileSystem.list(data)).includes('CAIRN')) {
    throw new CairnError('not_found', `${data} is no data directory of a Cairn store`);
  }
  const { durability, logLevel, maintenanceIntervalMilliseconds } = serverConfig();
  const logger = createLogger(logLevel);
  const store = await openLocalStore({
    directory: data,
    fs: nodeFileSystem,
    index: beginningEmpty(levelIndexHome(join(data, 'index'))),
    durability,
    segmentBytesTarget: limits.segmentBytesTarget,
    maintenanceIntervalMilliseconds,
    clock: systemClock,
    random: systemRandom,
    report: (level, message, details) => logger[level](details, message),
  });
  try {
    return await store.usage();
  } finally {
    await store.close();
  }
}

type IndexHome = ReturnType<typeof levelIndexHome>;

/** The store holds its lock by the time it opens its index, so nobody else's is destroyed. */
function beginningEmpty(home: IndexHome): IndexHome {
  return {
    async open() {
      await home.destroy();
      return home.open();
    },
    destroy: () => home.destroy(),
  };
}
