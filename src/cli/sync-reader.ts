// Reads and hashes files in worker threads, in bundles: the way to a thread costs more than a small file. The threads start
// with the first file, since most runs find none that changed.

import { availableParallelism } from 'node:os';
import type { Piscina } from 'piscina';
import { type Digest, hashLength, toDigest, toHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { ignoreAbandonedAnswers } from './abandoned-answers.js';
import { unreadable } from './file-chunks.js';
import type { ReadAnswer, ReadTask } from './sync-worker.js';
import type { FileStats } from './walk.js';

export interface FileToRead {
  /** As it is named to people. */
  readonly path: string;
  readonly absolute: string;
  /** How long it is thought to be. */
  readonly size: number;
}

export type ReadOutcome<File> = { readonly file: File } & (
  | {
      readonly digest: Digest;
      readonly stats: FileStats;
      /** Those of a small file, mostly. */
      readonly bytes: Uint8Array | undefined;
      readonly error?: undefined;
    }
  | { readonly error: CairnError }
);

export class SyncReader {
  #pool: Promise<Piscina<ReadTask, ReadAnswer>> | undefined;
  readonly #threads = Math.min(availableParallelism(), limits.hashThreadsCountMax);

  /** Takes runs of files and answers runs of outcomes, one for each file, in order. `canceled` when the signal is raised. */
  async *read<File extends FileToRead>(
    runs: Iterable<readonly File[]> | AsyncIterable<readonly File[]>,
    signal: AbortSignal,
  ): AsyncGenerator<readonly ReadOutcome<File>[]> {
    const tasksAheadMax = this.#threads * limits.hashTasksAheadCountMax;
    const ahead: Promise<ReadOutcome<File>[]>[] = [];
    for await (const bundle of inBundles(runs)) {
      const outcomes = this.#run(bundle, signal);
      outcomes.catch(() => {});
      ahead.push(outcomes);
      if (ahead.length >= tasksAheadMax) yield await ahead.shift()!;
    }
    for (const outcomes of ahead) yield await outcomes;
  }

  /** Ends the threads, also amid their work. */
  async close(): Promise<void> {
    await (await this.#pool)?.destroy();
  }

  async #run<File extends FileToRead>(bundle: readonly File[], signal: AbortSignal): Promise<ReadOutcome<File>[]> {
    this.#pool ??= this.#startPool();
    const paths = bundle.map(({ absolute }) => absolute);
    const sizes = Float64Array.from(bundle, ({ size }) => size);
    let keepBytes = 0;
    for (const { size } of bundle) if (size <= limits.batchedBlobBytesMax) keepBytes += size;
    const pool = await this.#pool;
    const answer = await pool.run({ paths, sizes, keepBytes }, { signal }).catch((error: unknown) => {
      throw signal.aborted ? new CairnError('canceled', 'canceled') : error;
    });
    const { kept, ...columns } = answer;
    return bundle.map((file, i) => outcomeOf(file, columns, kept, i));
  }

  async #startPool(): Promise<Piscina<ReadTask, ReadAnswer>> {
    const { Piscina } = await import('piscina');
    // Worker threads load compiled code alone, so that from the sources the way leads over dist/ as well.
    const filename = new URL('./sync-worker.js', import.meta.url).href.replace('/src/cli/', '/dist/cli/');
    const idleTimeout = Number.POSITIVE_INFINITY;
    const pool = new Piscina({ filename, name: 'readFiles', minThreads: 1, maxThreads: this.#threads, idleTimeout });
    ignoreAbandonedAnswers(pool);
    return pool;
  }
}

/** What was found of each file, without the bytes. */
type Columns = Omit<ReadAnswer, 'kept'>;

function outcomeOf<File extends FileToRead>(
  file: File,
  columns: Columns,
  kept: Uint8Array,
  i: number,
): ReadOutcome<File> {
  const failure = columns.failures.get(i);
  if (failure !== undefined) return { file, error: unreadable(file.path, failure) };
  const size = columns.sizes[i]!;
  const keptAt = columns.keptAt[i]!;
  return {
    file,
    digest: toDigest(toHash(columns.hashes.subarray(hashLength * i, hashLength * (i + 1))), size),
    stats: new ReadStats(columns, i),
    bytes: keptAt < 0 ? undefined : kept.subarray(keptAt, keptAt + size),
  };
}

/** Reads the numbers when they are asked for: a big integer is an object of its own. */
class ReadStats implements FileStats {
  constructor(
    private readonly columns: Columns,
    private readonly index: number,
  ) {}

  get size(): number {
    return this.columns.sizes[this.index]!;
  }

  get mtime(): bigint {
    return this.columns.mtimes[this.index]!;
  }

  get ctime(): bigint {
    return this.columns.ctimes[this.index]!;
  }

  get inode(): bigint {
    return this.columns.inodes[this.index]!;
  }

  get device(): bigint {
    return this.columns.devices[this.index]!;
  }

  get executable(): boolean {
    return this.columns.executable[this.index] === 1;
  }

  get readonly(): boolean {
    return this.columns.readonly[this.index] === 1;
  }
}

/** Files worth a trip to a thread together; a large file travels alone. */
async function* inBundles<File extends FileToRead>(
  runs: Iterable<readonly File[]> | AsyncIterable<readonly File[]>,
): AsyncGenerator<readonly File[]> {
  let bundle: File[] = [];
  let bytes = 0;
  for await (const files of runs) {
    for (const file of files) {
      const isLarge = file.size > limits.hashTaskFileBytesMax;
      if (isLarge && bundle.length > 0) {
        yield bundle;
        bundle = [];
        bytes = 0;
      }
      bundle.push(file);
      bytes += file.size;
      if (!isLarge && bundle.length < limits.hashTaskFilesCountMax && bytes < limits.hashTaskBytesMax) continue;
      yield bundle;
      bundle = [];
      bytes = 0;
    }
  }
  if (bundle.length > 0) yield bundle;
}
