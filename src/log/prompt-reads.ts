// Whether a small read is made at once, in this turn of the event loop, or by the thread pool. At once it costs a few
// microseconds as long as the system has the bytes in memory; waking a thread and being woken by it costs many times that.
// But a read that goes to the disk holds up everybody. No call that Node offers tells the two apart beforehand, so an account
// is kept: each read at once earns what it spares, and is charged the time that it took, without what the thread waited for a
// processor meanwhile: on a busy machine that is most of it, and the pool's threads would have waited, too. When the account is
// overdrawn, none is made for a while, each time in a row for twice as long.

import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';

export class PromptReads {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #waited: () => number;
  /** What it was when it was last asked for. */
  #waitedMilliseconds = 0;
  #balanceMilliseconds = 0;
  #resumesAt = Number.NEGATIVE_INFINITY;
  #pauseMilliseconds = 0;

  /** `waited` tells how many milliseconds this thread has waited for a processor so far. */
  constructor(clock: Pick<Clock, 'monotonic'>, waited: () => number) {
    this.#clock = clock;
    this.#waited = waited;
  }

  /** What `read` answers; undefined, without asking it, for many bytes or while reads at once do not pay. */
  attempt(bytes: number, read: () => number): number | undefined {
    if (bytes > limits.promptReadBytesMax) return undefined;
    const start = this.#clock.monotonic();
    if (start < this.#resumesAt) return undefined;
    const got = read();
    const end = this.#clock.monotonic();
    // What takes longer than a disk does is the process that was put to sleep.
    const charge = Math.min(this.#timeOf(end - start), limits.promptReadChargeMillisecondsMax);
    this.#balanceMilliseconds += worthMilliseconds(bytes) - charge;
    if (this.#balanceMilliseconds < 0) this.#pause(end);
    else if (this.#balanceMilliseconds > limits.promptReadCreditMillisecondsMax) {
      this.#balanceMilliseconds = limits.promptReadCreditMillisecondsMax;
      this.#pauseMilliseconds = 0;
    }
    return got;
  }

  /** Less what the thread waited since this was last asked of a slow read: mostly during this one, and little if they are all slow. */
  #timeOf(milliseconds: number): number {
    if (milliseconds <= limits.promptReadSlowMicroseconds / 1000) return milliseconds;
    const before = this.#waitedMilliseconds;
    this.#waitedMilliseconds = this.#waited();
    return Math.max(0, milliseconds - (this.#waitedMilliseconds - before));
  }

  #pause(now: number): void {
    this.#balanceMilliseconds = 0;
    this.#pauseMilliseconds = Math.min(
      Math.max(2 * this.#pauseMilliseconds, limits.promptReadPauseMillisecondsMin),
      limits.promptReadPauseMillisecondsMax,
    );
    this.#resumesAt = now + this.#pauseMilliseconds;
  }
}

/** The hand-over to a thread and back, and the copying that it would do. */
function worthMilliseconds(bytes: number): number {
  return (limits.promptReadWorthMicroseconds + bytes / limits.promptReadCopiedBytesPerMicrosecond) / 1000;
}
