// Two buffers by turns for the bytes of one upload: one is filled while the store reads the other. They begin small and
// double as bytes come, while the budget of the process grants it. When nothing comes, the store has all there was, and both
// are given up, so that a stalled upload holds nothing here.

import type { ByteBudget } from '../base/byte-budget.js';
import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';

/** Uploads of this thread whose batches have grown. */
let grown = 0;

export class BatchBuffers {
  /** Bytes taken in, all batches together. */
  totalBytes = 0;
  readonly #size: number;
  readonly #budget: ByteBudget;
  readonly #clock: Clock;
  /** Made when bytes come for it. */
  #buffer: Buffer | undefined;
  /** Of the buffer that is filled, or will be. */
  #length: number;
  #filled = 0;
  /** The buffer that is not being filled, unless the store has it. */
  #spare: Buffer | undefined;
  #lent: Buffer | undefined;
  #grantedBytes = 0;
  #cancelWatch: (() => void) | undefined;

  /** For a blob of `size` bytes. */
  constructor(size: number, { budget, clock }: { readonly budget: ByteBudget; readonly clock: Clock }) {
    this.#size = size;
    this.#budget = budget;
    this.#clock = clock;
    this.#length = Math.min(size, limits.laneBatchBytesMin);
  }

  get room(): number {
    return this.#length - this.#filled;
  }

  get isEmpty(): boolean {
    return this.#filled === 0;
  }

  get isFull(): boolean {
    return this.#filled === this.#length && this.#filled > 0;
  }

  /** Copies as many bytes as there is room for; answers what is left of them. */
  add(bytes: Uint8Array): Uint8Array | undefined {
    const fit = bytes.length <= this.room ? bytes : bytes.subarray(0, this.room);
    if (fit.length > 0) {
      this.#buffer ??= this.#makeBuffer();
      this.#buffer.set(fit, this.#filled);
    }
    this.#filled += fit.length;
    this.totalBytes += fit.length;
    return fit.length === bytes.length ? undefined : bytes.subarray(fit.length);
  }

  /** What was filled, lent until `release`; undefined when that is nothing. */
  take(): Uint8Array | undefined {
    if (this.#buffer === undefined) return undefined;
    this.#cancelWatch?.();
    const batch = this.#buffer;
    const filled = this.#filled;
    this.#lent = batch;
    this.#buffer = undefined;
    this.#filled = 0;
    this.#length = this.#nextLength(filled === batch.length);
    return filled === batch.length ? batch : batch.subarray(0, filled);
  }

  #nextLength(wasFull: boolean): number {
    const left = this.#size - this.totalBytes;
    const others = grown - (this.#grantedBytes > 0 ? 1 : 0);
    const most = others > 0 ? limits.laneBatchBytesBesideMax : limits.laneBatchBytesMax;
    const wanted = Math.min(2 * this.#length, most);
    const more = 2 * (wanted - this.#length);
    const mayGrow = wasFull && left > wanted && more > 0;
    if (!mayGrow || !this.#budget.take(more, limits.unprovenBudgetBytes)) return Math.min(left, this.#length, most);
    if (this.#grantedBytes === 0) grown++;
    this.#grantedBytes += more;
    return wanted;
  }

  #makeBuffer(): Buffer {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare?.length === this.#length ? spare : Buffer.allocUnsafeSlow(this.#length);
  }

  /** The store has read what it was lent, and waits for more. */
  release(): void {
    this.#spare = this.#lent;
    this.#lent = undefined;
    this.#cancelWatch?.();
    if (this.#spare !== undefined && this.isEmpty) {
      this.#cancelWatch = this.#clock.after(limits.stalledPieceMilliseconds, () => this.#giveUp());
    }
  }

  #giveUp(): void {
    if (!this.isEmpty) return;
    this.#spare = undefined;
    this.#length = Math.min(this.#size - this.totalBytes, limits.laneBatchBytesMin);
    this.#giveBack();
  }

  #giveBack(): void {
    if (this.#grantedBytes > 0) grown--;
    this.#budget.give(this.#grantedBytes);
    this.#grantedBytes = 0;
  }

  /** Gives back what the budget granted. */
  close(): void {
    this.#cancelWatch?.();
    this.#giveBack();
  }
}
