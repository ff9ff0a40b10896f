// One slot of the table of blobs: how a row lies in its twelve words, and how slots are searched. Shared by the table, whose
// thread writes it, and by those that read it from other threads.

import { type BlobHash, hashLength, toHash } from '../base/digest.js';

/** Where a blob is: the place of its record in the log. */
export interface BlobRow {
  /** Length of the blob in bytes, below 2⁴⁸. */
  readonly size: number;
  /** Segment of the log, below 2³². */
  readonly segment: number;
  /** Byte in the segment where the record begins, below 2³². */
  readonly offset: number;
  /** The record only names the blob; its bytes are in a file of their own. */
  readonly large: boolean;
}

const shardBits = 10;
const slotFractionBits = 32 - shardBits;
const slotFractionMask = 2 ** slotFractionBits - 1;
const slotFractionUnit = 2 ** -slotFractionBits;

export const shardCount = 2 ** shardBits;
export const slotBytes = 48;

export const wordsPerSlot = slotBytes / 4;
export const hashWords = hashLength / 4;

// Words of a slot after the 8 of the hash: size (low 32 bits); size (high 16 bits) and flags above them; segment; offset.
export const sizeWord = 8;
export const flagsWord = 9;
export const segmentWord = 10;
export const offsetWord = 11;
// The 14 flag bits above these two are kept for a coarse time of last use.
export const largeFlag = 1 << 16;
export const usedFlag = 1 << 17;

export const uint32End = 2 ** 32;

export function mixHash(hash: Uint8Array, multiplierA: number, multiplierB: number): number {
  return (Math.imul(lowWord(hash, 24), multiplierA) + Math.imul(lowWord(hash, 28), multiplierB)) >>> 0;
}

export function shardOfMix(mixed: number): number {
  return mixed >>> slotFractionBits;
}

/** The rows of slots that lie one behind the other. */
export function decodeSlots(words: Uint32Array): { hash: BlobHash; row: BlobRow }[] {
  const rows: { hash: BlobHash; row: BlobRow }[] = [];
  for (let at = 0; at + wordsPerSlot <= words.length; at += wordsPerSlot) {
    rows.push({ hash: readHash(words, at), row: readRow(words, at) });
  }
  return rows;
}

/** The slot of a hash, or the complement of the empty slot it would take. */
export function findSlot(words: Uint32Array, mixed: number, hash: Uint8Array): number {
  if (words.length === 0) return -1;
  const word6 = lowWord(hash, 24);
  const word7 = lowWord(hash, 28);
  let at = homeOf(words, mixed);
  // There always is an empty slot, but a run that another thread is changing may seem to have no end.
  for (let left = words.length; left > 0 && isUsed(words, at); left -= wordsPerSlot) {
    if (words[at + 7] === word7 && words[at + 6] === word6 && holdsRest(words, at, hash)) return at;
    at = nextSlot(words, at);
  }
  return ~at;
}

function holdsRest(words: Uint32Array, at: number, hash: Uint8Array): boolean {
  for (let i = 0; i < hashWords - 2; i++) if (words[at + i] !== lowWord(hash, 4 * i)) return false;
  return true;
}

/** The top bits of a mixed hash chose the shard; the others, as a fraction of 1, choose the slot. */
export function homeOf(words: Uint32Array, mixed: number): number {
  const capacity = words.length / wordsPerSlot;
  return Math.floor((mixed & slotFractionMask) * capacity * slotFractionUnit) * wordsPerSlot;
}

export function nextSlot(words: Uint32Array, at: number): number {
  const next = at + wordsPerSlot;
  return next === words.length ? 0 : next;
}

export function isUsed(words: Uint32Array, at: number): boolean {
  return (words[at + flagsWord]! & usedFlag) !== 0;
}

export function copySlot(source: Uint32Array, from: number, target: Uint32Array, to: number): void {
  for (let i = 0; i < wordsPerSlot; i++) target[to + i] = source[from + i]!;
}

export function readSize(words: Uint32Array, at: number): number {
  return words[at + sizeWord]! + (words[at + flagsWord]! & 0xffff) * uint32End;
}

export function readRow(words: Uint32Array, at: number): BlobRow {
  return {
    size: readSize(words, at),
    segment: words[at + segmentWord]!,
    offset: words[at + offsetWord]!,
    large: (words[at + flagsWord]! & largeFlag) !== 0,
  };
}

export function readHash(words: Uint32Array, at: number): BlobHash {
  const hash = new Uint8Array(hashLength);
  const view = new DataView(hash.buffer);
  for (let i = 0; i < hashWords; i++) view.setUint32(4 * i, words[at + i]!, true);
  return toHash(hash);
}

/** Four bytes as a little-endian number. */
export function lowWord(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)) >>> 0;
}
