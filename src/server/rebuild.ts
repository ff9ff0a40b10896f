// Makes the index of a stopped store anew from its log alone: the store is opened, under its lock, with an index that
// begins empty, and closed again.

import type { StoreUsage } from '../base/blob-store.js';
import { systemClock } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import type { IndexHome } from '../cas/index-db.js';
import { nodeFileSystem } from '../log/node-file-system.js';
import { serverConfig } from './config.js';
import { openDataDirectory } from './data-directory.js';
import { createLogger } from './logger.js';

/**
 * What the store holds afterwards. `failed_precondition` when a server has it open, `not_found` when the directory is no
 * store.
 */
export async function rebuildIndex(data: string): Promise<StoreUsage> {
  if (!(await nodeFileSystem.list(data)).includes('CAIRN')) {
    throw new CairnError('not_found', `${data} is no data directory of a Cairn store`);
  }
  const config = serverConfig({ data });
  const logger = createLogger(config.logLevel);
  const parts = { config, logger, clock: systemClock, random: systemRandom };
  const store = await openDataDirectory({ ...parts, adaptIndex: beginningEmpty });
  try {
    return await store.usage();
  } finally {
    await store.close();
  }
}

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
