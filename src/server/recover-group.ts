// What is left of a Raft group after it has lost its majority becomes a group again: that of one node whose data directory
// this is. No server may have it open.

import { join } from 'node:path';
import { systemClock } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { nodeFileSystem } from '../log/node-file-system.js';
import { type Recovered, recoverAlone } from '../meta/raft/recover-alone.js';
import { serverConfig } from './config.js';
import { openDataDirectory } from './data-directory.js';
import { createLogger } from './logger.js';

/** `failed_precondition` when a server has it open, `not_found` when it holds no node of a group. */
export async function recoverGroup(data: string): Promise<Recovered> {
  if (!(await nodeFileSystem.list(data)).includes('raft')) {
    throw new CairnError('not_found', `${data} holds no node of a raft group`);
  }
  const config = serverConfig({ data });
  const parts = { logger: createLogger(config.logLevel), clock: systemClock, random: systemRandom };
  // For its lock: a server that runs has it.
  const store = await openDataDirectory({ config, ...parts });
  try {
    return await recoverAlone({ ...parts, fs: nodeFileSystem, directory: join(data, 'raft') });
  } finally {
    await store.close();
  }
}
