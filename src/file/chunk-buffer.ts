// Memory in which a chunk is gathered. It grows with what has come, so that a thousand slow uploads hold little; beyond a
// small size the budget decides.

import type { ByteBudget } from '../base/byte-budget.js';
import { limits } from '../base/limits.js';

export class ChunkBuffer {
  readonly #budget: ByteBudget;
  #buffer = new Uint8Array(0);
  #length = 0;
  #taken = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Whether there was room for the bytes. They are copied. */
  append(bytes: Uint8Array): boolean {
    const needed = this.#length + bytes.length;
    if (needed > this.#buffer.length && !this.#grow(needed)) return false;
    this.#buffer.set(bytes, this.#length);
    this.#length = needed;
    return true;
  }

  #grow(needed: number): boolean {
    const { gatheredChunkBytesMin: free, gatheredChunkBytesMax: most } = limits;
    if (needed > most) return false;
    const size = Math.min(Math.max(needed, 2 * this.#buffer.length), most);
    const more = Math.max(0, size - free) - this.#taken;
    if (!this.#budget.take(more)) return false;
    this.#taken += more;
    const grown = Buffer.allocUnsafeSlow(size);
    grown.set(this.bytes);
    this.#buffer = grown;
    return true;
  }

  /** Ready for another chunk, in the same memory. */
  clear(): void {
    this.#length = 0;
  }

  /** Gives the memory back. May be called again. */
  release(): void {
    this.#budget.give(this.#taken);
    this.#taken = 0;
    this.#buffer = new Uint8Array(0);
    this.#length = 0;
  }
}
