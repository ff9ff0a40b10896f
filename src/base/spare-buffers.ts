// Buffers of one size that are used again by whoever comes next: new memory for each small thing costs page faults, and makes
// the collector run, which counts the bytes outside its heap. Who forgets to give one back loses nothing but that.

export class SpareBuffers {
  readonly #length: number;
  readonly #countMax: number;
  readonly #spares: Uint8Array[] = [];

  /** So many buffers wait for the next at most. */
  constructor(length: number, countMax: number) {
    this.#length = length;
    this.#countMax = countMax;
  }

  /** All of a buffer, with whatever is in it. */
  take(): Uint8Array {
    return this.#spares.pop() ?? new Uint8Array(this.#length);
  }

  /** Nobody reads or writes it any more. */
  give(buffer: Uint8Array): void {
    if (this.#spares.length < this.#countMax) this.#spares.push(buffer);
  }
}
