// Staged bytes that no restart survives: beside a store in memory.

import type { ByteRange } from '../base/range.js';
import type { Staging, StagingArea } from '../base/staging.js';

export class MemoryStaging implements StagingArea {
  readonly #staged = new Map<string, StagedBytes>();

  async open(name: string, size: number): Promise<Staging | undefined> {
    const staged = this.#staged.get(name) ?? new StagedBytes();
    if (staged.size < size) return undefined;
    staged.cut(size);
    this.#staged.set(name, staged);
    return staged;
  }

  async names(): Promise<string[]> {
    return [...this.#staged.keys()];
  }

  async remove(name: string): Promise<void> {
    this.#staged.delete(name);
  }
}

class StagedBytes implements Staging {
  #bytes = new Uint8Array(0);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  cut(size: number): void {
    this.#size = size;
  }

  async append(bytes: Uint8Array): Promise<void> {
    const size = this.#size + bytes.length;
    if (size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(size, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#size);
    this.#size = size;
  }

  async sync(): Promise<void> {}

  async read({ start, end }: ByteRange): Promise<Uint8Array> {
    return this.#bytes.slice(start, end);
  }

  async close(): Promise<void> {}
}
