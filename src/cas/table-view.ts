// A blob table as another thread reads it, while its writer changes it. A sequence number of each shard is odd while the
// shard changes and has moved on when it has changed: what was found in between is not believed, and looked for again
// (a seqlock). Slots are read as by their writer, between two looks at the number that no read may pass: V8 moves none across
// an atomic operation, nor does an x86 processor across a look; for others the second look is an exchange, which none of
// them lets an earlier read pass (Boehm 2012, "Can seqlocks get along with programming language memory models?").
// Reading every word atomically was as sure, and took twice the time: V8 calls a function for each.
// A view never waits: where the table is in motion, or has moved to memory that the view was not yet told of, it says
// that it does not know, and the writer's thread has to be asked.

import type { BlobHash } from '../base/digest.js';
import {
  bufferWord,
  capacityWord,
  controlWordsPerShard,
  partialWord,
  type ShardBuffer,
  type SharedTable,
  sequenceWord,
} from './blob-table.js';
import { type BlobRow, findSlot, homeOf, mixHash, readRow, readSize, shardOfMix, wordsPerSlot } from './table-slot.js';

/** Times a shard is looked at again before its writer is asked. */
const attemptsMax = 16;
const keepsReadsInOrder = process.arch === 'x64' || process.arch === 'ia32';
type Words = Uint32Array<SharedArrayBuffer>;

const noWords: Words = new Uint32Array(new SharedArrayBuffer(0));

export class TableView {
  readonly #table: SharedTable;
  readonly #buffers: ShardBuffer[];
  /** Of each shard its slots, as many as there were when they were last looked at. */
  readonly #words: Words[];
  /** The sequence number they were looked at with. */
  readonly #sequences: Int32Array;
  #touched = 0;

  constructor(table: SharedTable) {
    this.#table = table;
    this.#buffers = [...table.buffers];
    this.#words = this.#buffers.map(() => noWords);
    this.#sequences = new Int32Array(this.#buffers.length).fill(-1);
  }

  /** To be told of every shard that moves after the table was shared. */
  moved(shard: number, to: ShardBuffer): void {
    this.#buffers[shard] = to;
    this.#words[shard] = noWords;
    this.#sequences[shard] = -1;
  }

  /** Where a blob is; undefined when there is none; `unknown` when only the writer can tell. */
  find(hash: BlobHash): BlobRow | undefined | 'unknown' {
    return this.#read(this.#mix(hash), hash, findRow);
  }

  /** The sizes of many blobs, as `find` answers. What is touched first, and why: see `BlobTable.sizesOf`. */
  sizesOf(hashes: readonly BlobHash[]): (number | undefined | 'unknown')[] {
    const mixed = new Uint32Array(hashes.length);
    let touched = 0;
    for (let i = 0; i < hashes.length; i++) {
      const mix = this.#mix(hashes[i]!);
      mixed[i] = mix;
      const words = this.#words[shardOfMix(mix)]!;
      if (words.length > 0) touched |= words[homeOf(words, mix)]!;
    }
    // Kept, so that the loop above is not taken for useless.
    this.#touched ^= touched;
    return hashes.map((hash, index) => this.#read(mixed[index]!, hash, findSize));
  }

  #mix(hash: BlobHash): number {
    const { secret } = this.#table;
    return mixHash(hash, secret[0], secret[1]);
  }

  /** What a search in the blob's shard finds there, when nothing has changed meanwhile. */
  #read<T>(
    mixed: number,
    hash: BlobHash,
    search: (words: Words, mixed: number, hash: BlobHash) => T | undefined,
  ): T | undefined | 'unknown' {
    const { control } = this.#table;
    const shard = shardOfMix(mixed);
    const sequenceAt = controlWordsPerShard * shard + sequenceWord;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const before = Atomics.load(control, sequenceAt);
      if ((before & 1) !== 0) continue;
      const words = this.#sequences[shard] === before ? this.#words[shard]! : this.#wordsOf(shard, before);
      if (words === undefined) return 'unknown';
      const found = search(words, mixed, hash);
      const after = keepsReadsInOrder ? Atomics.load(control, sequenceAt) : Atomics.add(control, sequenceAt, 0);
      if (after !== before) continue;
      return found === undefined && Atomics.load(control, partialWord) !== 0 ? 'unknown' : found;
    }
    return 'unknown';
  }

  /** The slots of a shard that had this sequence number a moment ago. */
  #wordsOf(shard: number, sequence: number): Words | undefined {
    const { control } = this.#table;
    const base = controlWordsPerShard * shard;
    const { buffer, number } = this.#buffers[shard]!;
    if (Atomics.load(control, base + bufferWord) !== number) return undefined;
    const length = Atomics.load(control, base + capacityWord) * wordsPerSlot;
    let words = this.#words[shard]!;
    if (words.length !== length) {
      if (4 * length > buffer.byteLength) return undefined;
      words = new Uint32Array(buffer, 0, length);
      this.#words[shard] = words;
    }
    if (Atomics.load(control, base + sequenceWord) === sequence) this.#sequences[shard] = sequence;
    return words;
  }
}

function findRow(words: Words, mixed: number, hash: BlobHash): BlobRow | undefined {
  const at = findSlot(words, mixed, hash);
  return at < 0 ? undefined : readRow(words, at);
}

function findSize(words: Words, mixed: number, hash: BlobHash): number | undefined {
  const at = findSlot(words, mixed, hash);
  return at < 0 ? undefined : readSize(words, at);
}
