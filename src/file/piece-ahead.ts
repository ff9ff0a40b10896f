// One piece of a file, read while the one before it is used. When nobody comes for it for long, it is forgotten, and read
// again when somebody does: a thousand readers that stopped must not hold a thousand large pieces.

import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';

export interface CutPiece {
  readonly bytes: Uint8Array;
  /** Reads the same bytes once more. */
  readonly again: () => Promise<Uint8Array>;
}

export class PieceAhead {
  #result: Promise<IteratorResult<CutPiece>> | undefined;
  #again: CutPiece['again'] | undefined;
  readonly #cancelWatch: () => void;

  /** Starts reading. `onStalled` is called when the piece was forgotten. */
  constructor(source: AsyncGenerator<CutPiece>, clock: Clock, onStalled: () => void) {
    this.#result = source.next();
    // Its failure is thrown by `take`; until then it must not count as unhandled.
    this.#result.catch(() => {});
    let cancelled = false;
    const cancelTimer = clock.after(limits.stalledPieceMilliseconds, () => {
      this.#result?.then(
        (result) => {
          if (cancelled || result.done) return;
          this.#again = result.value.again;
          this.#result = undefined;
          onStalled();
        },
        () => {},
      );
    });
    this.#cancelWatch = () => {
      cancelled = true;
      cancelTimer();
    };
  }

  /** The piece, or undefined behind the last one. */
  async take(): Promise<Uint8Array | undefined> {
    this.#cancelWatch();
    if (this.#again !== undefined) return this.#again();
    const result = await this.#result!;
    return result.done ? undefined : result.value.bytes;
  }

  /** Nobody will come. Resolves when nothing is being read. */
  async drop(): Promise<void> {
    this.#cancelWatch();
    await this.#result?.catch(() => {});
  }
}
