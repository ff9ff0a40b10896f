// What one request makes the process hold, taken from what all requests together may.

import type { ByteBudget } from '../base/byte-budget.js';
import { CairnError } from '../base/errors.js';

export class HeldBytes {
  readonly #budget: ByteBudget;
  #bytes = 0;
  #isReleased = false;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** Nothing is counted for a request that is over. `overloaded` when all requests together hold too much. */
  take(bytes: number): void {
    if (this.#isReleased) return;
    if (!this.#budget.take(bytes)) throw new CairnError('overloaded', 'too many bytes are on their way; try again');
    this.#bytes += bytes;
  }

  /** So many of them are held no longer. */
  give(bytes: number): void {
    const given = Math.min(bytes, this.#bytes);
    this.#budget.give(given);
    this.#bytes -= given;
  }

  /** The request is over, whatever is still done for it. */
  release(): void {
    this.#isReleased = true;
    this.#budget.give(this.#bytes);
    this.#bytes = 0;
  }
}
