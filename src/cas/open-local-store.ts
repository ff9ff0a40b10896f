// Opens a data directory as a `LocalStore`: takes its lock, recovers what it holds, and starts its maintenance. Closing
// goes the other way: the index is brought up to date and the table saved, so that the next opening need not look far.

import { join } from 'node:path';
import type { Durability } from '../base/blob-store.js';
import type { Clock } from '../base/clock.js';
import type { CairnError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import type { FileSystem } from '../log/file-system.js';
import type { DamagedStretch } from '../log/scanner.js';
import { Compactor } from './compactor.js';
import type { IndexHome } from './index-db.js';
import { LargeFiles } from './large-files.js';
import { LocalStore } from './local-store.js';
import { Maintenance } from './maintenance.js';
import { OpenLargeFiles } from './open-large-files.js';
import { Poison } from './poison.js';
import { type Recovered, recover, tablePath } from './recovery.js';
import { openStoreFile } from './store-file.js';
import type { SharedChange } from './store-owner.js';
import type { StoreReport } from './store-report.js';
import { saveTable } from './table-file.js';

export interface LocalStoreOptions {
  readonly directory: string;
  readonly fs: FileSystem;
  readonly index: IndexHome;
  readonly durability: Durability;
  readonly segmentBytesTarget: number;
  /** Memory for the rows of blobs; those that do not fit are looked up in the index. */
  readonly indexMemoryBytes: number;
  /** Changes after which the table may be worth saving, so that an unclean stop costs little. */
  readonly tableSaveChangesMin: number;
  /** Pause between rounds of index writing and compaction. */
  readonly maintenanceIntervalMilliseconds: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Called once, when the store takes no more writes because the disk failed to make something durable. */
  readonly onPoisoned?: (() => void) | undefined;
  readonly report: StoreReport;
}

/** `failed_precondition` when another process has the directory open, or a newer program wrote it. */
export async function openLocalStore(options: LocalStoreOptions): Promise<LocalStore> {
  const { directory, fs, random, report } = options;
  await fs.makeDirectory(directory);
  const storeFile = await openStoreFile({ fs, directory, random });
  try {
    const files = await LargeFiles.open(fs, random, directory);
    const poison = new Poison((err) => {
      report('error', 'the store takes no more writes', { err });
      options.onPoisoned?.();
    });
    const openFiles = new OpenLargeFiles(options.clock);
    const watchers = new Set<(change: SharedChange) => void>();
    const log = {
      ...options,
      onRemoved: (segment: number) => {
        openFiles.forgetSegment(segment);
        for (const watcher of watchers) watcher({ kind: 'segment-removed', segment });
      },
      directory: logDirectory(directory),
      onPoisoned: (error: CairnError) => poison.set(error),
      onDamage: (stretch: DamagedStretch) => report('error', 'a stretch of the log is damaged', { ...stretch }),
    };
    const recovered = await recover({ ...options, files, log, poison });
    return assemble(options, { files, openFiles, poison, watchers, recovered, release: () => storeFile.release() });
  } catch (error) {
    await storeFile.release();
    throw error;
  }
}

function logDirectory(directory: string): string {
  return join(directory, 'log');
}

interface Assembly {
  readonly files: LargeFiles;
  readonly openFiles: OpenLargeFiles;
  readonly poison: Poison;
  readonly watchers: Set<(change: SharedChange) => void>;
  readonly recovered: Recovered;
  readonly release: () => Promise<void>;
}

function assemble(options: LocalStoreOptions, assembly: Assembly): LocalStore {
  const { files, openFiles, poison, watchers, recovered, release } = assembly;
  const { index, log, catalog, lagging } = recovered;
  const { directory, fs, durability, clock, report } = options;
  const stop = async () => {
    await maintenance.stop();
    try {
      if (!poison.isSet) await catalog.flush();
    } finally {
      await log.close().finally(() => index.close());
    }
    if (poison.isSet) return;
    await files.syncRemovals();
    // Only what is left clean needs no sweep at the next opening.
    const path = tablePath(directory, files.hasLeftovers ? 'none' : 'clean');
    await catalog.saveMemory((source) => saveTable(fs, path, source));
    if (!files.hasLeftovers) await fs.remove(tablePath(directory, 'none'));
  };
  const shutDown = async () => {
    try {
      await stop();
    } finally {
      await release();
    }
  };
  const store = new LocalStore({
    fs,
    directory,
    logDirectory: logDirectory(directory),
    watchers,
    log,
    catalog,
    files,
    openFiles,
    durability,
    lagging,
    poison,
    shutDown,
  });
  const compactor = new Compactor({ log, catalog, commits: store.commits });
  const maintenance = new Maintenance({
    catalog,
    compactor,
    save: (source) => saveTable(fs, tablePath(directory, 'none'), source),
    clock,
    intervalMilliseconds: options.maintenanceIntervalMilliseconds,
    report,
  });
  return store;
}
