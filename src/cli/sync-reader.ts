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

  /** One outcome for each file, in order. `canceled` when the signal is raised. */
  async *read<File extends FileToRead>(
    files: Iterable<File> | AsyncIterable<File>,
    signal: AbortSignal,
  ): AsyncGenerator<ReadOutcome<File>> {
    const tasksAheadMax = this.#threads * limits.hashTasksAheadCountMax;
    const ahead: Promise<ReadOutcome<File>[]>[] = [];
    for await (const bundle of inBundles(files)) {
      const outcomes = this.#run(bundle, signal);
      outcomes.catch(() => {});
      ahead.push(outcomes);
      if (ahead.length >= tasksAheadMax) yield* await ahead.shift()!;
    }
    for (const outcomes of ahead) yield* await outcomes;
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
    return bundle.map((file, i) => outcomeOf(file, answer, i));
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

function outcomeOf<File extends FileToRead>(file: File, answer: ReadAnswer, i: number): ReadOutcome<File> {
  const failure = answer.failures.get(i);
  if (failure !== undefined) return { file, error: unreadable(file.path, failure) };
  const { hashes, keptAt, kept } = answer;
  const size = answer.sizes[i]!;
  return {
    file,
    digest: toDigest(toHash(hashes.subarray(hashLength * i, hashLength * (i + 1))), size),
    stats: {
      size,
      mtime: answer.mtimes[i]!,
      ctime: answer.ctimes[i]!,
      inode: answer.inodes[i]!,
      device: answer.devices[i]!,
      executable: answer.executable[i] === 1,
      readonly: answer.readonly[i] === 1,
    },
    bytes: keptAt[i]! < 0 ? undefined : kept.subarray(keptAt[i]!, keptAt[i]! + size),
  };
}

/** Files worth a trip to a thread together; a large file travels alone. */
async function* inBundles<File extends FileToRead>(
  files: Iterable<File> | AsyncIterable<File>,
): AsyncGenerator<readonly File[]> {
  let bundle: File[] = [];
  let bytes = 0;
  for await (const file of files) {
    if (file.size > limits.hashTaskFileBytesMax) {
      if (bundle.length > 0) yield bundle;
      yield [file];
      bundle = [];
      bytes = 0;
      continue;
    }
    bundle.push(file);
    bytes += file.size;
    if (bundle.length < limits.hashTaskFilesCountMax && bytes < limits.hashTaskBytesMax) continue;
    yield bundle;
    bundle = [];
    bytes = 0;
  }
  if (bundle.length > 0) yield bundle;
}
