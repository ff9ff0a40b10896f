// Two buffers that serve by turns, for a reader that is done with a piece when it asks for the one after the next: reading
// into the same memory again is cheaper than into new memory by much.

import { limits } from './limits.js';
import type { ByteRange } from './range.js';

export class BufferPair {
  #last: Uint8Array | undefined;
  #done: Uint8Array | undefined;

  /**
   * Memory for all blocks of a blob of this size that a range touches. Undefined for little, which is cheap to make anew,
   * and may outlive its reader.
   */
  scratchFor({ start, end }: ByteRange, size: number): Uint8Array | undefined {
    const length = Math.min(blockEnd(end), size) - blockStart(start);
    if (length <= limits.firstReadBytes) return undefined;
    const done = this.#done;
    const buffer = done !== undefined && done.length >= length ? done : new Uint8Array(length);
    this.#done = this.#last;
    this.#last = buffer;
    return buffer;
  }

  forget(): void {
    this.#last = undefined;
    this.#done = undefined;
  }
}

/** Where the block of a position begins. */
export function blockStart(position: number): number {
  return position - (position % limits.blockBytes);
}

function blockEnd(position: number): number {
  return blockStart(position + limits.blockBytes - 1);
}
