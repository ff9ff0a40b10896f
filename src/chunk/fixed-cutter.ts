// Chunks of one length, the last one aside.

import type { Cutter } from './cutter.js';

export class FixedCutter implements Cutter {
  readonly #chunkBytes: number;
  #length = 0;
  #ended = false;

  constructor(chunkBytes: number) {
    this.#chunkBytes = chunkBytes;
  }

  get ended(): boolean {
    return this.#ended;
  }

  advance(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.#chunkBytes - this.#length);
    this.#length += taken;
    this.#ended = this.#length === this.#chunkBytes;
    if (this.#ended) this.#length = 0;
    return taken;
  }
}
