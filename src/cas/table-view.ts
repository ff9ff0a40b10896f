// A blob table as another thread reads it, while its writer changes it. A sequence number of each shard is odd while the
// shard changes and has moved on when it has changed: what was found in between is not believed, and looked for again
// (a seqlock). Words are read atomically, in order: a plain read might be done after the second look at the number.
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
import {
  type BlobRow,
  flagsWord,
  homeOf,
  largeFlag,
  lowWord,
  mixHash,
  nextSlot,
  offsetWord,
  segmentWord,
  shardOfMix,
  sizeWord,
  uint32End,
  usedFlag,
  wordsPerSlot,
} from './table-slot.js';

/** Times a shard is looked at again before its writer is asked. */
const attemptsMax = 16;
const noWords: Uint32Array<SharedArrayBuffer> = new Uint32Array(new SharedArrayBuffer(0));

export class TableView {
  readonly #table: SharedTable;
  readonly #buffers: ShardBuffer[];
  /** Of each shard its slots, as many as there were when they were last looked at. */
  readonly #words: Uint32Array<SharedArrayBuffer>[];

  constructor(table: SharedTable) {
    this.#table = table;
    this.#buffers = [...table.buffers];
    this.#words = this.#buffers.map(() => noWords);
  }

  /** To be told of every shard that moves after the table was shared. */
  moved(shard: number, to: ShardBuffer): void {
    this.#buffers[shard] = to;
    this.#words[shard] = noWords;
  }

  /** Where a blob is; undefined when there is none; `unknown` when only the writer can tell. */
  find(hash: BlobHash): BlobRow | undefined | 'unknown' {
    const { control, secret } = this.#table;
    const mixed = mixHash(hash, secret[0], secret[1]);
    const shard = shardOfMix(mixed);
    const base = controlWordsPerShard * shard;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const before = Atomics.load(control, base + sequenceWord);
      if ((before & 1) !== 0) continue;
      const words = this.#wordsOf(shard);
      if (words === undefined) return 'unknown';
      const row = findRow(words, mixed, hash);
      if (Atomics.load(control, base + sequenceWord) !== before) continue;
      return row === undefined && Atomics.load(control, partialWord) !== 0 ? 'unknown' : row;
    }
    return 'unknown';
  }

  #wordsOf(shard: number): Uint32Array<SharedArrayBuffer> | undefined {
    const { control } = this.#table;
    const base = controlWordsPerShard * shard;
    const { buffer, number } = this.#buffers[shard]!;
    if (Atomics.load(control, base + bufferWord) !== number) return undefined;
    const length = Atomics.load(control, base + capacityWord) * wordsPerSlot;
    let words = this.#words[shard]!;
    if (words.length === length) return words;
    if (4 * length > buffer.byteLength) return undefined;
    words = new Uint32Array(buffer, 0, length);
    this.#words[shard] = words;
    return words;
  }
}

function findRow(words: Uint32Array<SharedArrayBuffer>, mixed: number, hash: BlobHash): BlobRow | undefined {
  if (words.length === 0) return undefined;
  let at = homeOf(words, mixed);
  // A run that another thread is changing may seem to have no end.
  for (let tried = 0; tried < words.length; tried += wordsPerSlot) {
    const flags = Atomics.load(words, at + flagsWord);
    if ((flags & usedFlag) === 0) return undefined;
    if (isHash(words, at, hash)) {
      return {
        size: Atomics.load(words, at + sizeWord) + (flags & 0xffff) * uint32End,
        segment: Atomics.load(words, at + segmentWord),
        offset: Atomics.load(words, at + offsetWord),
        large: (flags & largeFlag) !== 0,
      };
    }
    at = nextSlot(words, at);
  }
  return undefined;
}

/** From the last word, which differs most often. */
function isHash(words: Uint32Array<SharedArrayBuffer>, at: number, hash: BlobHash): boolean {
  for (let word = 7; word >= 0; word--) if (Atomics.load(words, at + word) !== lowWord(hash, 4 * word)) return false;
  return true;
}
