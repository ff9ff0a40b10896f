// The rolling hash in plain JavaScript, in two halves of 32 bits: some 160 MB/s. What the other one is held against.

import type { GearHash } from './gear-hash.js';
import type { GearTable, Halves } from './gear-table.js';

export class PlainGearHash implements GearHash {
  readonly #table: GearTable;
  #high = 0;
  #low = 0;

  constructor(table: GearTable) {
    this.#table = table;
  }

  reset(): void {
    this.#high = 0;
    this.#low = 0;
  }

  find(bytes: Uint8Array, start: number, end: number, mask: Halves): number {
    const table = this.#table;
    let high = this.#high;
    let low = this.#low;
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      const sum = ((low << 1) >>> 0) + table.low[byte]!;
      high = ((high << 1) | (low >>> 31)) + table.high[byte]! + (sum > 0xffff_ffff ? 1 : 0);
      high |= 0;
      low = sum >>> 0;
      if (((high & mask.high) | (low & mask.low)) === 0) break;
    }
    this.#high = high;
    this.#low = low;
    return at;
  }
}
