// A `LocalStore` on this machine's real disk, in a directory of its own. Maintenance runs only when a test asks for it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.js';
import { limits } from '../../src/base/limits.js';
import { systemRandom } from '../../src/base/random.js';
import { levelIndexHome } from '../../src/cas/level-index.js';
import type { LocalStore } from '../../src/cas/local-store.js';
import { type LocalStoreOptions, openLocalStore } from '../../src/cas/open-local-store.js';
import { nodeFileSystem } from '../../src/log/node-file-system.js';

const never = 2 ** 31 - 1;

export function openStoreIn(directory: string, options: Partial<LocalStoreOptions> = {}): Promise<LocalStore> {
  return openLocalStore({
    directory,
    fs: nodeFileSystem,
    index: levelIndexHome(join(directory, 'index')),
    durability: 'disk',
    indexMemoryBytes: 2 ** 30,
    tableSaveChangesMin: limits.tableSaveChangesMin,
    segmentBytesTarget: 1 << 20,
    maintenanceIntervalMilliseconds: never,
    clock: systemClock,
    random: systemRandom,
    report: () => {},
    ...options,
  });
}

/** Runs `body` with a directory that is removed afterwards. */
export async function withDirectory<T>(body: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-test-'));
  try {
    return await body(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
