// A `LocalStore` as the server composes it.

import { join } from 'node:path';
import { systemClock } from '../src/base/clock.js';
import { limits } from '../src/base/limits.js';
import { systemRandom } from '../src/base/random.js';
import { levelIndexHome } from '../src/cas/level-index.js';
import type { LocalStore } from '../src/cas/local-store.js';
import { openLocalStore } from '../src/cas/open-local-store.js';
import { nodeFileSystem } from '../src/log/node-file-system.js';

export function openBenchStore(directory: string): Promise<LocalStore> {
  return openLocalStore({
    directory,
    fs: nodeFileSystem,
    index: levelIndexHome(join(directory, 'index')),
    durability: 'disk',
    indexMemoryBytes: 2 ** 30,
    tableSaveChangesMin: limits.tableSaveChangesMin,
    segmentBytesTarget: limits.segmentBytesTarget,
    maintenanceIntervalMilliseconds: 5000,
    clock: systemClock,
    random: systemRandom,
    report: () => {},
  });
}
