// The rolling hash that FastCDC looks for borders with. Two implementations give the same answers: WebAssembly where
// there is any, plain JavaScript elsewhere.

import type { Halves } from './gear-table.js';

/** Rolls over the bytes of one chunk after the other. Its state is a number, and the bytes since `reset`. */
export interface GearHash {
  /** Forgets the bytes so far. */
  reset(): void;
  /**
   * Takes in an even number of bytes, from `start` on, and stops at the first behind which no bit of the mask is set in
   * the hash: its position. Otherwise `end`.
   */
  find(bytes: Uint8Array, start: number, end: number, mask: Halves): number;
}
