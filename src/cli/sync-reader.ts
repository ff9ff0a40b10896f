// Reads and hashes files in worker threads, in bundles: the way to a thread costs more than a small file. The threads start
// with the first file, since most runs find none that changed. Bundles take as many files as the last ones turned out to
// have room for, so that large files, too, are spread over the threads.

import { availableParallelism } from 'node:os';
import type { Piscina } from 'piscina';
import { type Digest, hashLength, toDigest, toHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { ignoreAbandonedAnswers } from './abandoned-answers.js';
import { unreadable } from './file-chunks.js';
import type { FileStats } from './file-stats.js';
import { fileMarks, type ReadAnswer, type ReadTask } from './read-answer.js';

export interface FileToRead {
  /** As it is named to people. */
  readonly path: string;
  readonly absolute: string;
}

export type ReadOutcome<File> = { readonly file: File } & (
  | {
      readonly digest: Digest;
      readonly stats: FileStats;
      readonly isPacked: boolean;
      readonly error?: undefined;
    }
  | { readonly error: CairnError }
);

/** Files that were read together. */
export interface ReadRun<File> {
  readonly outcomes: readonly ReadOutcome<File>[];
  /** The frame of a pack of those that are packed, which small files are. */
  readonly frame: Uint8Array;
}

/** A run, and files of its bundle for which there was no room. */
interface ReadBundle<File> extends ReadRun<File> {
  readonly rest: readonly File[];
}

export class SyncReader {
  #pool: Promise<Piscina<ReadTask, ReadAnswer>> | undefined;
  /** One core is left to this thread, and to the server where that runs beside it. */
  readonly #threads = Math.max(1, Math.min(availableParallelism() - 1, limits.hashThreadsCountMax));
  #bundleCount: number = limits.syncTaskFilesCountMax;
  /** Memory of frames that have been sent. New memory for each would have the collector run again and again. */
  readonly #spares: ArrayBuffer[] = [];

  /** Takes runs of files and answers other runs of them. `canceled` when the signal is raised. */
  async *read<File extends FileToRead>(
    runs: Iterable<readonly File[]> | AsyncIterable<readonly File[]>,
    signal: AbortSignal,
  ): AsyncGenerator<ReadRun<File>> {
    const tasksAheadMax = this.#threads * limits.hashTasksAheadCountMax;
    const waiting: File[] = [];
    const ahead: Promise<ReadBundle<File>>[] = [];
    const start = () => {
      const reading = this.#run(waiting.splice(0, this.#bundleCount), signal);
      reading.catch(() => {});
      ahead.push(reading);
    };
    const next = async () => {
      const { rest, ...run } = await ahead.shift()!;
      waiting.unshift(...rest);
      return run;
    };
    for await (const files of runs) {
      waiting.push(...files);
      while (waiting.length >= this.#bundleCount) {
        start();
        if (ahead.length >= tasksAheadMax) yield await next();
      }
    }
    while (waiting.length > 0 || ahead.length > 0) {
      while (waiting.length > 0 && ahead.length < tasksAheadMax) start();
      yield await next();
    }
  }

  /** Takes back a run's frame, of which nobody needs the bytes any more. */
  recycle(frame: Uint8Array): void {
    if (this.#spares.length < this.#threads * limits.hashTasksAheadCountMax)
      this.#spares.push(frame.buffer as ArrayBuffer);
  }

  /** Ends the threads, also amid their work. */
  async close(): Promise<void> {
    await (await this.#pool)?.destroy();
  }

  async #run<File extends FileToRead>(bundle: readonly File[], signal: AbortSignal): Promise<ReadBundle<File>> {
    this.#pool ??= this.#startPool();
    const paths = bundle.map(({ absolute }) => absolute).join('\0');
    const pool = await this.#pool;
    const spare = this.#spares.pop();
    const transferList = spare === undefined ? [] : [spare];
    const answer = await pool.run({ paths, spare }, { signal, transferList }).catch((error: unknown) => {
      throw signal.aborted ? new CairnError('canceled', 'canceled') : error;
    });
    const { count, frame } = answer;
    this.#bundleCount = count < bundle.length ? count : Math.min(2 * this.#bundleCount, limits.syncTaskFilesCountMax);
    const outcomes = bundle.slice(0, count).map((file, i) => outcomeOf(file, answer, i));
    return { outcomes, frame, rest: bundle.slice(count) };
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
  const { count, hashes, numbers } = answer;
  const marks = answer.marks[i]!;
  const size = numbers[i]!;
  return {
    file,
    digest: toDigest(toHash(hashes.subarray(hashLength * i, hashLength * (i + 1))), size),
    stats: {
      size,
      mtime: numbers[i + count]!,
      ctime: numbers[i + 2 * count]!,
      inode: numbers[i + 3 * count]!,
      device: numbers[i + 4 * count]!,
      executable: (marks & fileMarks.executable) !== 0,
      readonly: (marks & fileMarks.readonly) !== 0,
    },
    isPacked: (marks & fileMarks.packed) !== 0,
  };
}
