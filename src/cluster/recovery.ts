// Checking named chunks by reading them whole: what the store verifies block by block on the way is what is wanted here.
// One task runs at a time, the more urgent first; ended ones are remembered for a while.

import type { BlobStore } from '../base/blob-store.js';
import type { Clock } from '../base/clock.js';
import { type BlobHash, hashHex } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { type Random, uniqueName } from '../base/random.js';
import { type RecoveryPriority, type RecoveryTask, recoveryPriorities } from './cluster.js';

export interface RecoveryParts {
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
}

type Task = { -readonly [Key in keyof RecoveryTask]: RecoveryTask[Key] } & {
  readonly chunks: readonly BlobHash[];
  lostChunks: BlobHash[];
};

export class Recovery {
  readonly #parts: RecoveryParts;
  /** In the order in which they came. */
  readonly #tasks = new Map<string, Task>();
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  /** `not_found` names the first chunk that is not here, and nothing is begun. `overloaded` when too many wait. */
  async start(chunks: readonly BlobHash[], priority: RecoveryPriority): Promise<RecoveryTask> {
    const { store, clock, random } = this.#parts;
    const stats = await store.stat(chunks);
    const missing = chunks[stats.indexOf(undefined)];
    if (missing !== undefined) throw noSuchChunk(missing);
    if (this.#waiting().length >= limits.recoveryTasksWaitingCountMax) {
      throw new CairnError('overloaded', 'too many recovery tasks are waiting');
    }
    const task: Task = {
      taskId: `t_${uniqueName(random).slice(0, 12)}`,
      priority,
      state: 'waiting',
      chunks,
      totalChunks: chunks.length,
      verifiedChunks: 0,
      lostChunks: [],
      startedAt: clock.now(),
    };
    this.#tasks.set(task.taskId, task);
    this.#forgetOld();
    this.#running ??= this.#run();
    return { ...task };
  }

  find(taskId: string): RecoveryTask {
    const task = this.#tasks.get(taskId);
    if (task === undefined) throw new CairnError('not_found', `there is no task ${JSON.stringify(taskId)}`);
    return { ...task };
  }

  /** Resolves when the chunk being read is. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  #waiting(): Task[] {
    return [...this.#tasks.values()].filter(({ state }) => state === 'waiting');
  }

  #forgetOld(): void {
    for (const [taskId, { state }] of this.#tasks) {
      if (this.#tasks.size <= limits.recoveryTasksCountMax) return;
      if (state === 'completed') this.#tasks.delete(taskId);
    }
  }

  async #run(): Promise<void> {
    for (let task = this.#mostUrgent(); task !== undefined; task = this.#mostUrgent()) {
      task.state = 'running';
      for (const hash of task.chunks) {
        if (this.#closed) return;
        if (await this.#isWhole(hash)) task.verifiedChunks++;
        else task.lostChunks.push(hash);
      }
      task.state = 'completed';
    }
    this.#running = undefined;
  }

  #mostUrgent(): Task | undefined {
    const urgency = ({ priority }: Task) => recoveryPriorities.indexOf(priority);
    const [first] = this.#waiting().sort((a, b) => urgency(b) - urgency(a));
    return first;
  }

  async #isWhole(hash: BlobHash): Promise<boolean> {
    try {
      const handle = await this.#parts.store.open(hash);
      if (handle === undefined) return false;
      try {
        const { size } = handle.digest;
        for (let start = 0; start < size && !this.#closed; start += limits.readBytesMax) {
          await handle.read({ start, end: Math.min(start + limits.readBytesMax, size) });
        }
        return true;
      } finally {
        await handle.close();
      }
    } catch {
      // `corrupt`, or a disk that cannot read it: lost either way.
      return false;
    }
  }
}

function noSuchChunk(hash: BlobHash): CairnError {
  const id = `c_${hashHex(hash)}`;
  return new CairnError('not_found', `there is no chunk ${id}`, { subject: { kind: 'chunk', id } });
}
