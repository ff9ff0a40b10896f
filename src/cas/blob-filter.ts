// A set of hashes that is sure of what it does not hold, and now and then takes a stranger for one of its own: a Bloom filter
// in blocks of one cache line (Putze, Sanders and Singler 2007), eight bits of one block for each hash. It has one size for
// all its life: with more hashes than it was made for, more strangers get past it. Nothing can be taken out; what is stale
// goes when another filter is filled in its place. One thread writes it; its memory is shared, for others to read.
//
// At ten bits for each hash about one stranger in eighty gets past, at five one in nine.

import type { BlobHash } from '../base/digest.js';
import { assert } from '../base/errors.js';

const wordsPerBlock = 16;
export const filterBlockBytes = 4 * wordsPerBlock;
const uint32Unit = 2 ** -32;

export class BlobFilter {
  /** The bits, for saving and loading. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly #words: Uint32Array<SharedArrayBuffer>;
  readonly #blockCount: number;
  /** Hashes that were added and might as well be gone by now. */
  addedCount = 0;

  /** The size is a multiple of `filterBlockBytes`. */
  constructor(byteLength: number) {
    assert(byteLength > 0 && byteLength % filterBlockBytes === 0, 'a filter is made of whole blocks');
    const buffer = new SharedArrayBuffer(byteLength);
    this.bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
    this.#blockCount = byteLength / filterBlockBytes;
  }

  add(hash: BlobHash): void {
    const words = this.#words;
    const block = this.#blockOf(hash);
    const a = word(hash, 20);
    const b = word(hash, 24);
    const c = word(hash, 28);
    setBit(words, block, a);
    setBit(words, block, a >>> 9);
    setBit(words, block, a >>> 18);
    setBit(words, block, b);
    setBit(words, block, b >>> 9);
    setBit(words, block, b >>> 18);
    setBit(words, block, c);
    setBit(words, block, c >>> 9);
    this.addedCount++;
  }

  /** False: it was never added. True: it was, or looks as if. */
  mayHold(hash: BlobHash): boolean {
    const words = this.#words;
    const block = this.#blockOf(hash);
    const a = word(hash, 20);
    if (!(hasBit(words, block, a) && hasBit(words, block, a >>> 9) && hasBit(words, block, a >>> 18))) return false;
    const b = word(hash, 24);
    if (!(hasBit(words, block, b) && hasBit(words, block, b >>> 9) && hasBit(words, block, b >>> 18))) return false;
    const c = word(hash, 28);
    return hasBit(words, block, c) && hasBit(words, block, c >>> 9);
  }

  /** Where the block begins that holds a hash's bits. Not from the first bytes: those a node's blobs may share. */
  #blockOf(hash: BlobHash): number {
    return Math.floor((word(hash, 16) >>> 0) * uint32Unit * this.#blockCount) * wordsPerBlock;
  }
}

/** The low nine bits choose a bit of the block. */
function setBit(words: Uint32Array, block: number, choice: number): void {
  words[block + ((choice >>> 5) & 15)]! |= 1 << (choice & 31);
}

function hasBit(words: Uint32Array, block: number, choice: number): boolean {
  return (words[block + ((choice >>> 5) & 15)]! & (1 << (choice & 31))) !== 0;
}

function word(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24);
}
