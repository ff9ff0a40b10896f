// Digests of many files, hashed in worker threads and handed on in the order of their names. Small files cross to a
// thread in bundles, since the way there costs more than their hashing.

import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { type Digest, toDigest, toHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { ignoreAbandonedAnswers } from './abandoned-answers.js';
import { unreadable } from './file-chunks.js';
import type { HashOutcome } from './hash-worker.js';

/** A name to be put and the file that has its bytes. */
export interface NamedFile {
  readonly name: string;
  readonly path: string;
}

export type HashedFile<File> = { readonly file: File } & (
  | { readonly digest: Digest; readonly error?: undefined }
  | { readonly digest?: undefined; readonly error: CairnError }
);

export interface HashOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told the size of each file as it is found, before it is hashed. */
  readonly onFound?: ((bytes: number) => void) | undefined;
}

type Checked<File> = { readonly file: File; readonly size: number; readonly error: CairnError | undefined };

export class FileHasher {
  readonly #pool: Piscina<readonly string[], HashOutcome[]>;
  readonly #tasksAheadMax: number;

  constructor() {
    const threads = Math.min(availableParallelism(), limits.hashThreadsCountMax);
    // Worker threads load compiled code alone, so that from the sources the way leads over dist/ as well.
    const filename = new URL('./hash-worker.js', import.meta.url).href.replace('/src/cli/', '/dist/cli/');
    // Threads stay until the end: they take longer to start than most files to hash.
    const idleTimeout = Number.POSITIVE_INFINITY;
    this.#pool = new Piscina({ filename, name: 'hashPaths', minThreads: 1, maxThreads: threads, idleTimeout });
    ignoreAbandonedAnswers(this.#pool);
    this.#tasksAheadMax = threads * limits.hashTasksAheadCountMax;
  }

  /** One answer for each file, in order. What is no readable regular file has an error instead of a digest. */
  async *hash<File extends NamedFile>(
    files: Iterable<File> | AsyncIterable<File>,
    { signal, onFound }: HashOptions = {},
  ): AsyncGenerator<HashedFile<File>> {
    const ahead: Promise<HashedFile<File>[]>[] = [];
    for await (const task of this.#tasks(files, onFound)) {
      const hashed = this.#run(task, signal);
      hashed.catch(() => {});
      ahead.push(hashed);
      if (ahead.length >= this.#tasksAheadMax) yield* await ahead.shift()!;
    }
    for (const hashed of ahead) yield* await hashed;
  }

  /** Ends the threads, also amid their work. */
  close(): Promise<void> {
    return this.#pool.destroy();
  }

  async #run<File extends NamedFile>(
    task: readonly Checked<File>[],
    signal: AbortSignal | undefined,
  ): Promise<HashedFile<File>[]> {
    const wanted = task.filter(({ error }) => error === undefined);
    const paths = wanted.map(({ file }) => file.path);
    const outcomes = await this.#pool.run(paths, { signal: signal ?? null }).catch((error: unknown) => {
      throw signal?.aborted ? new CairnError('canceled', 'canceled') : error;
    });
    const found = outcomes.values();
    return task.map(({ file, error }) => {
      if (error !== undefined) return { file, error };
      const outcome = found.next().value!;
      if ('failure' in outcome) return { file, error: unreadable(file.name, outcome.failure) };
      return { file, digest: toDigest(toHash(outcome.hash), outcome.size) };
    });
  }

  /** Files in bundles worth a trip to a thread; a large file travels alone. */
  async *#tasks<File extends NamedFile>(
    files: Iterable<File> | AsyncIterable<File>,
    onFound: ((bytes: number) => void) | undefined,
  ): AsyncGenerator<Checked<File>[]> {
    let task: Checked<File>[] = [];
    let bytes = 0;
    for await (const run of inRuns(files)) {
      for (const checked of await Promise.all(run.map(check))) {
        onFound?.(checked.size);
        if (checked.size > limits.hashTaskFileBytesMax && task.length > 0) {
          yield task;
          task = [];
          bytes = 0;
        }
        task.push(checked);
        bytes += checked.size;
        if (bytes < limits.hashTaskBytesMax && checked.size <= limits.hashTaskFileBytesMax) continue;
        yield task;
        task = [];
        bytes = 0;
      }
      // Nothing waits for names that have yet to come.
      if (task.length > 0) yield task;
      task = [];
      bytes = 0;
    }
  }
}

async function check<File extends NamedFile>(file: File): Promise<Checked<File>> {
  try {
    const stats = await stat(file.path);
    return { file, size: stats.isFile() ? stats.size : 0, error: refusal(file.name, stats) };
  } catch (error) {
    return { file, size: 0, error: unreadable(file.name, error) };
  }
}

function refusal(name: string, stats: Stats): CairnError | undefined {
  if (stats.isFile()) return undefined;
  const reason = stats.isDirectory()
    ? 'is a directory; give its files, for example by find … -type f | cairn put --files-from -'
    : 'is no regular file; give its bytes by cairn put -';
  return new CairnError('failed_precondition', `${name} ${reason}`);
}

async function* inRuns<File>(files: Iterable<File> | AsyncIterable<File>): AsyncGenerator<File[]> {
  let run: File[] = [];
  for await (const file of files) {
    run.push(file);
    if (run.length < limits.hashTaskFilesCountMax) continue;
    yield run;
    run = [];
  }
  if (run.length > 0) yield run;
}
