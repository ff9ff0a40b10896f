// What one request makes the process hold, taken from what all requests together may.

import type { ByteBudget } from '../base/byte-budget.js';
import { CairnError } from '../base/errors.js';

export class HeldBytes {
  readonly #budget: ByteBudget;
  #bytes = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** `overloaded` when all requests together hold too much. */
  take(bytes: number): void {
    if (!this.#budget.take(bytes)) throw new CairnError('overloaded', 'too many bytes are on their way; try again');
    this.#bytes += bytes;
  }

  /** So many of them are held no longer. */
  give(bytes: number): void {
    this.#budget.give(bytes);
    this.#bytes -= bytes;
  }

  release(): void {
    this.#budget.give(this.#bytes);
    this.#bytes = 0;
  }
}
