// The threads behind `entry-worker.ts`.

import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { limits } from '../base/limits.js';
import { ignoreAbandonedAnswers } from './abandoned-answers.js';
import type { Examined, ExpectedFile, ExpectedLink, Placed, PlaceTask } from './entry-worker.js';

type Task = readonly (ExpectedFile | ExpectedLink)[] | PlaceTask;

export class EntryWorkers {
  readonly #pool: Piscina<Task, Examined[] | Placed[]>;
  readonly threads = Math.min(availableParallelism(), limits.hashThreadsCountMax);

  constructor() {
    // Worker threads load compiled code alone, so that from the sources the way leads over dist/ as well.
    const filename = new URL('./entry-worker.js', import.meta.url).href.replace('/src/cli/', '/dist/cli/');
    const idleTimeout = Number.POSITIVE_INFINITY;
    this.#pool = new Piscina({ filename, minThreads: 1, maxThreads: this.threads, idleTimeout });
    ignoreAbandonedAnswers(this.#pool);
  }

  examine(entries: readonly (ExpectedFile | ExpectedLink)[]): Promise<Examined[]> {
    return this.#pool.run(entries, { name: 'examine' }) as Promise<Examined[]>;
  }

  /** The bytes are no longer the caller's. */
  place(task: PlaceTask): Promise<Placed[]> {
    const transferList = [task.bytes.buffer as ArrayBuffer];
    return this.#pool.run(task, { name: 'place', transferList }) as Promise<Placed[]>;
  }

  /** Ends the threads, also amid their work: files under way would stay under their temporary names. */
  close(): Promise<void> {
    return this.#pool.destroy();
  }
}
