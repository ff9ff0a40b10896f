// Whether a small read is made at once, in this turn of the event loop, or by the thread pool. At once it costs a few
// microseconds as long as the system has the bytes in memory; waking a thread and being woken by it costs many times that.
// But a read that goes to the disk would hold up everybody. No call that Node offers tells the two apart beforehand, so they
// are told apart afterwards: a read that took long puts off the next attempt, and each in a row twice as long.

import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';

export class PromptReads {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #resumesAt = Number.NEGATIVE_INFINITY;
  #pauseMilliseconds = 0;
  #fastInARow = 0;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** What `read` answers; undefined, without asking it, for many bytes or when reads were slow lately. */
  attempt(bytes: number, read: () => number): number | undefined {
    if (bytes > limits.promptReadBytesMax) return undefined;
    const start = this.#clock.monotonic();
    if (start < this.#resumesAt) return undefined;
    const got = read();
    const end = this.#clock.monotonic();
    if (end - start > limits.promptReadMillisecondsMax) this.#pause(end);
    else if (++this.#fastInARow === limits.promptReadsTrustedCount) this.#pauseMilliseconds = 0;
    return got;
  }

  #pause(now: number): void {
    this.#fastInARow = 0;
    this.#pauseMilliseconds = Math.min(
      Math.max(2 * this.#pauseMilliseconds, limits.promptReadPauseMillisecondsMin),
      limits.promptReadPauseMillisecondsMax,
    );
    this.#resumesAt = now + this.#pauseMilliseconds;
  }
}
