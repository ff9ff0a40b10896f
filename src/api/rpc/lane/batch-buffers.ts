// Two buffers by turns for the bytes of one upload: one is filled while the store reads the other. They begin small and
// double as bytes come, while the budget of the process grants it, so that a stalled upload holds little.

import type { ByteBudget } from '../../../base/byte-budget.js';
import { limits } from '../../../base/limits.js';

export class BatchBuffers {
  /** Bytes taken in, all batches together. */
  totalBytes = 0;
  readonly #size: number;
  readonly #budget: ByteBudget;
  #buffer: Buffer;
  #filled = 0;
  /** The buffer that is not being filled, unless the store has it. */
  #spare: Buffer | undefined;
  #lent: Buffer | undefined;
  #grantedBytes = 0;

  /** For a blob of `size` bytes. */
  constructor(size: number, budget: ByteBudget) {
    this.#size = size;
    this.#budget = budget;
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(size, limits.laneBatchBytesMin));
  }

  get room(): number {
    return this.#buffer.length - this.#filled;
  }

  get isEmpty(): boolean {
    return this.#filled === 0;
  }

  get isFull(): boolean {
    return this.#filled === this.#buffer.length && this.#filled > 0;
  }

  /** Copies as many bytes as there is room for; answers what is left of them. */
  add(bytes: Uint8Array): Uint8Array | undefined {
    const fit = bytes.length <= this.room ? bytes : bytes.subarray(0, this.room);
    this.#buffer.set(fit, this.#filled);
    this.#filled += fit.length;
    this.totalBytes += fit.length;
    return fit.length === bytes.length ? undefined : bytes.subarray(fit.length);
  }

  /** What was filled, lent until `release`; undefined when that is nothing. */
  take(): Uint8Array | undefined {
    if (this.#filled === 0) return undefined;
    const batch = this.#buffer;
    const filled = this.#filled;
    this.#lent = batch;
    this.#filled = 0;
    this.#buffer = this.#nextBuffer(batch.length, filled === batch.length);
    return filled === batch.length ? batch : batch.subarray(0, filled);
  }

  #nextBuffer(lastLength: number, wasFull: boolean): Buffer {
    const left = this.#size - this.totalBytes;
    const wanted = Math.min(2 * lastLength, limits.laneBatchBytesMax);
    const spare = this.#spare;
    this.#spare = undefined;
    if (left <= 0) return Buffer.alloc(0);
    const mayGrow = wasFull && left > wanted && wanted > lastLength && this.#budget.take(2 * (wanted - lastLength));
    if (mayGrow) this.#grantedBytes += 2 * (wanted - lastLength);
    const length = Math.min(left, mayGrow ? wanted : lastLength);
    return spare !== undefined && spare.length === length ? spare : Buffer.allocUnsafeSlow(length);
  }

  /** The store has read what it was lent. */
  release(): void {
    this.#spare = this.#lent;
    this.#lent = undefined;
  }

  /** Gives back what the budget granted. */
  close(): void {
    this.#budget.give(this.#grantedBytes);
    this.#grantedBytes = 0;
  }
}
