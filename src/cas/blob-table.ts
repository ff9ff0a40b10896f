// The exact in-memory table hash → row, about 60 bytes a blob. One thread writes it; its memory is shared, so that other
// threads can be handed it to read: see `table-view.ts` for what a reader has to watch out for.
//
// 1024 shards, each an open-addressed array of 48-byte slots with linear probing and no tombstones: a deletion shifts the
// rest of its run back, so an empty slot always ends a search. A shard grows alone, by an eighth, which keeps its load
// between 0.75 and 0.85 and every growth step short; it grows inside a reserved stretch of addresses, since outgrown
// shared buffers wait very long for the garbage collector.
//
// A slot comes from the LAST eight bytes of the hash, since all blobs of a node that owns few placement groups share
// their first bits. They are mixed with two secret odd multipliers, different in every store (vector multiply-shift,
// Dietzfelbinger 1996): who chooses blobs can cheaply make 30 or 40 of those bits agree, and without the secret would
// thereby fill one shard or one run; to collide under every secret he must make all 64 agree.

import type { BlobHash } from '../base/digest.js';
import { hashLength, toHash } from '../base/digest.js';
import { assert } from '../base/errors.js';
import type { Random } from '../base/random.js';

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

/** Slots as 32-bit words in the machine's byte order. */
export type ShardWords = Uint32Array<SharedArrayBuffer>;

/** Two odd 32-bit numbers. */
export type TableSecret = readonly [number, number];

const shardBits = 10;
const slotFractionBits = 32 - shardBits;
const slotFractionMask = 2 ** slotFractionBits - 1;
const slotFractionUnit = 2 ** -slotFractionBits;

export const shardCount = 2 ** shardBits;
export const slotBytes = 48;

export const wordsPerSlot = slotBytes / 4;
const hashWords = hashLength / 4;

// Words of a slot after the 8 of the hash: size (low 32 bits); size (high 16 bits) and flags above them; segment; offset.
export const sizeWord = 8;
export const flagsWord = 9;
export const segmentWord = 10;
export const offsetWord = 11;
// The 14 flag bits above these two are kept for a coarse time of last use.
export const largeFlag = 1 << 16;
export const usedFlag = 1 << 17;

export const uint32End = 2 ** 32;
const sizeEnd = 2 ** 48;
const loadMax = 0.85;
const growthFactor = 1.125;
/** Addresses reserved for a shard, as a multiple of its first size; memory is taken as it grows. */
const reservationFactor = 16;
const loadMin = 0.4;
const loadAfterShrink = 0.8;

/** Words that tell readers in other threads about one shard. */
export const controlWordsPerShard = 3;
/** Counts changes: odd while one is under way. */
export const sequenceWord = 0;
/** Slots the shard has. */
export const capacityWord = 1;
/** Goes up when the shard moves to another buffer. */
export const bufferWord = 2;
/** Behind the words of all shards: not zero when a blob that is not in the table may exist all the same. */
export const partialWord: number = controlWordsPerShard * shardCount;

/** What another thread needs to read the table. */
export interface SharedTable {
  readonly secret: TableSecret;
  readonly control: Int32Array<SharedArrayBuffer>;
  /** Of each shard its buffer and that buffer's number. */
  readonly buffers: readonly ShardBuffer[];
}

export interface ShardBuffer {
  readonly buffer: SharedArrayBuffer;
  readonly number: number;
}

const noWords: ShardWords = new Uint32Array(new SharedArrayBuffer(0));

export class BlobTable {
  readonly secret: TableSecret;
  readonly #multiplierA: number;
  readonly #multiplierB: number;
  readonly #shards: ShardWords[] = Array.from({ length: shardCount }, () => noWords);
  readonly #used = new Uint32Array(shardCount);
  readonly #control = new Int32Array(new SharedArrayBuffer(4 * (partialWord + 1)));
  readonly #onMoves: ((shard: number, moved: ShardBuffer) => void)[] = [];
  #scratch = new Uint32Array(0);
  #count = 0;
  #bytes = 0;
  #byteLength = 0;

  constructor(secret: TableSecret) {
    assert(
      secret.every((part) => part % 2 === 1 && part < uint32End),
      'a table secret is two odd 32-bit numbers',
    );
    this.secret = secret;
    this.#multiplierA = secret[0];
    this.#multiplierB = secret[1];
  }

  static create(random: Random): BlobTable {
    const bytes = random.bytes(8);
    return new BlobTable([(lowWord(bytes, 0) | 1) >>> 0, (lowWord(bytes, 4) | 1) >>> 0]);
  }

  /** Number of blobs. */
  get count(): number {
    return this.#count;
  }

  /** Sum of the blobs' sizes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Memory held, in bytes. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** Hands the table to another thread, which must be told of every shard that moves from then on. */
  share(onMove: (shard: number, moved: ShardBuffer) => void): SharedTable {
    this.#onMoves.push(onMove);
    const buffers = this.#shards.map((_words, shard) => this.#bufferOf(shard));
    return { secret: this.secret, control: this.#control, buffers };
  }

  #bufferOf(shard: number): ShardBuffer {
    return { buffer: this.#shards[shard]!.buffer, number: this.#control[controlWordsPerShard * shard + bufferWord]! };
  }

  /** Readers in other threads that look at a shard between two calls look again. */
  #noteChange(shard: number): void {
    Atomics.add(this.#control, controlWordsPerShard * shard + sequenceWord, 1);
  }

  get(hash: BlobHash): BlobRow | undefined {
    const mixed = this.#mix(hash);
    const words = this.#shards[mixed >>> slotFractionBits]!;
    const at = findSlot(words, mixed, hash);
    return at < 0 ? undefined : readRow(words, at);
  }

  /** The blob's size, −1 when it is absent. Allocates nothing: every digest of a negotiation comes by here. */
  sizeOf(hash: BlobHash): number {
    const mixed = this.#mix(hash);
    const words = this.#shards[mixed >>> slotFractionBits]!;
    const at = findSlot(words, mixed, hash);
    return at < 0 ? -1 : readSize(words, at);
  }

  /** Adds a row, or replaces the one the hash has. */
  set(hash: BlobHash, row: BlobRow): void {
    assert(Number.isInteger(row.size) && row.size >= 0 && row.size < sizeEnd, `size ${row.size} has no 48 bits`);
    assert(isUint32(row.segment) && isUint32(row.offset), `place ${row.segment}:${row.offset} is not of 32 bits`);
    const mixed = this.#mix(hash);
    const shard = mixed >>> slotFractionBits;
    this.#noteChange(shard);
    this.#put(shard, mixed, hash, row);
    this.#noteChange(shard);
  }

  #put(shard: number, mixed: number, hash: BlobHash, row: BlobRow): void {
    let words = this.#shards[shard]!;
    let at = findSlot(words, mixed, hash);
    if (at >= 0) {
      this.#bytes += row.size - readSize(words, at);
    } else {
      if ((this.#used[shard]! + 1) * wordsPerSlot > words.length * loadMax) {
        words = this.#resize(shard, grownCapacity(shard, words.length / wordsPerSlot));
        at = findSlot(words, mixed, hash);
      }
      at = ~at;
      for (let i = 0; i < hashWords; i++) words[at + i] = lowWord(hash, 4 * i);
      this.#used[shard]! += 1;
      this.#count += 1;
      this.#bytes += row.size;
    }
    words[at + sizeWord] = row.size;
    words[at + flagsWord] = Math.floor(row.size / uint32End) | usedFlag | (row.large ? largeFlag : 0);
    words[at + segmentWord] = row.segment;
    words[at + offsetWord] = row.offset;
  }

  /** Was it there? */
  delete(hash: BlobHash): boolean {
    const mixed = this.#mix(hash);
    const shard = mixed >>> slotFractionBits;
    const words = this.#shards[shard]!;
    const at = findSlot(words, mixed, hash);
    if (at < 0) return false;
    this.#noteChange(shard);
    this.#take(shard, words, at);
    this.#noteChange(shard);
    return true;
  }

  #take(shard: number, words: ShardWords, at: number): void {
    this.#bytes -= readSize(words, at);
    this.#count -= 1;
    this.#used[shard]! -= 1;
    this.#shiftBack(words, at);
    const capacity = words.length / wordsPerSlot;
    if (this.#used[shard]! < capacity * loadMin && capacity > firstCapacity(shard)) {
      this.#resize(shard, Math.max(firstCapacity(shard), Math.ceil(this.#used[shard]! / loadAfterShrink)));
    }
  }

  /** Visits every row, in no order. The visitor must not change the table. */
  forEach(visit: (hash: BlobHash, row: BlobRow) => void): void {
    for (let shard = 0; shard < shardCount; shard++) this.forEachInShard(shard, visit);
  }

  /** Visits the rows of one shard, about a thousandth of all, for work that must be cut into steps. */
  forEachInShard(shard: number, visit: (hash: BlobHash, row: BlobRow) => void): void {
    const words = this.#shards[shard]!;
    for (let at = 0; at < words.length; at += wordsPerSlot) {
      if (isUsed(words, at)) visit(readHash(words, at), readRow(words, at));
    }
  }

  /** The slots of one shard as they are now, to be read at once: the next change may move them. */
  shardWords(shard: number): ShardWords {
    return this.#shards[shard]!;
  }

  /**
   * Fills an empty shard with slots that `shardWords` of a table with the same secret gave. False, and nothing changed,
   * when a search in them could go wrong.
   */
  adoptShard(shard: number, slots: Uint32Array): boolean {
    assert(this.#used[shard] === 0, 'only an empty shard is filled');
    const found = this.#checkShard(shard, slots);
    if (found === undefined) return false;
    if (slots.length === 0) return true;
    const words = newShard(slots.length / wordsPerSlot);
    words.set(slots);
    this.#noteChange(shard);
    this.#replaceShard(shard, words);
    this.#noteChange(shard);
    this.#used[shard] = found.used;
    this.#count += found.used;
    this.#bytes += found.bytes;
    return true;
  }

  #mix(hash: Uint8Array): number {
    return mixHash(hash, this.#multiplierA, this.#multiplierB);
  }

  #mixOfSlot(words: Uint32Array, at: number): number {
    return (Math.imul(words[at + 6]!, this.#multiplierA) + Math.imul(words[at + 7]!, this.#multiplierB)) >>> 0;
  }

  /** Gives a shard so many slots. Homes rise with the mixed hash, so slots are read and written nearly in order. */
  #resize(shard: number, capacity: number): ShardWords {
    const old = this.#shards[shard]!;
    let words: ShardWords;
    let source: Uint32Array = old;
    const byteLength = capacity * slotBytes;
    if (byteLength > old.byteLength && byteLength <= old.buffer.maxByteLength) {
      if (this.#scratch.length < old.length) this.#scratch = new Uint32Array(2 * old.length);
      source = this.#scratch;
      source.set(old);
      old.fill(0);
      old.buffer.grow(byteLength);
      words = new Uint32Array(old.buffer, 0, capacity * wordsPerSlot);
    } else {
      words = newShard(capacity);
    }
    for (let from = 0; from < old.length; from += wordsPerSlot) {
      if (!isUsed(source, from)) continue;
      let to = homeOf(words, this.#mixOfSlot(source, from));
      while (isUsed(words, to)) to = nextSlot(words, to);
      copySlot(source, from, words, to);
    }
    this.#replaceShard(shard, words);
    return words;
  }

  #replaceShard(shard: number, words: ShardWords): void {
    const old = this.#shards[shard]!;
    this.#byteLength += words.byteLength - old.byteLength;
    this.#shards[shard] = words;
    const control = controlWordsPerShard * shard;
    Atomics.store(this.#control, control + capacityWord, words.length / wordsPerSlot);
    if (words.buffer === old.buffer) return;
    Atomics.add(this.#control, control + bufferWord, 1);
    for (const onMove of this.#onMoves) onMove(shard, this.#bufferOf(shard));
  }

  /** Empties a slot and closes the gap: what a search could no longer reach across it moves into it. */
  #shiftBack(words: ShardWords, emptied: number): void {
    let hole = emptied;
    for (let at = nextSlot(words, hole); isUsed(words, at); at = nextSlot(words, at)) {
      const home = homeOf(words, this.#mixOfSlot(words, at));
      const reachable = hole < at ? hole < home && home <= at : hole < home || home <= at;
      if (reachable) continue;
      copySlot(words, at, words, hole);
      hole = at;
    }
    words.fill(0, hole, hole + wordsPerSlot);
  }

  #checkShard(shard: number, words: Uint32Array): { used: number; bytes: number } | undefined {
    const capacity = words.length / wordsPerSlot;
    let run = 0;
    while (run < capacity && isUsed(words, (capacity - 1 - run) * wordsPerSlot)) run += 1;
    let used = 0;
    let bytes = 0;
    for (let at = 0; at < words.length; at += wordsPerSlot) {
      if (!isUsed(words, at)) {
        run = 0;
        continue;
      }
      const mixed = this.#mixOfSlot(words, at);
      const distance = (at - homeOf(words, mixed) + words.length) % words.length;
      if (mixed >>> slotFractionBits !== shard || distance > run * wordsPerSlot) return undefined;
      run += 1;
      used += 1;
      bytes += readSize(words, at);
    }
    const endsEverySearch = capacity === 0 || used < capacity;
    return endsEverySearch ? { used, bytes } : undefined;
  }
}

export function mixHash(hash: Uint8Array, multiplierA: number, multiplierB: number): number {
  return (Math.imul(lowWord(hash, 24), multiplierA) + Math.imul(lowWord(hash, 28), multiplierB)) >>> 0;
}

export function shardOfMix(mixed: number): number {
  return mixed >>> slotFractionBits;
}

function newShard(capacity: number): ShardWords {
  const byteLength = capacity * slotBytes;
  return new Uint32Array(
    new SharedArrayBuffer(byteLength, { maxByteLength: byteLength * reservationFactor }),
    0,
    capacity * wordsPerSlot,
  );
}

/** Shards start at eight different sizes, so that they do not all grow at the same time. */
function firstCapacity(shard: number): number {
  return 8 + (shard % 8);
}

function grownCapacity(shard: number, capacity: number): number {
  return capacity === 0 ? firstCapacity(shard) : Math.max(capacity + 8, Math.floor(capacity * growthFactor));
}

/** The slot of a hash, or the complement of the empty slot it would take. */
function findSlot(words: Uint32Array, mixed: number, hash: Uint8Array): number {
  if (words.length === 0) return -1;
  const word6 = lowWord(hash, 24);
  const word7 = lowWord(hash, 28);
  let at = homeOf(words, mixed);
  while (isUsed(words, at)) {
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

function isUsed(words: Uint32Array, at: number): boolean {
  return (words[at + flagsWord]! & usedFlag) !== 0;
}

function copySlot(source: Uint32Array, from: number, target: Uint32Array, to: number): void {
  for (let i = 0; i < wordsPerSlot; i++) target[to + i] = source[from + i]!;
}

function readSize(words: Uint32Array, at: number): number {
  return words[at + sizeWord]! + (words[at + flagsWord]! & 0xffff) * uint32End;
}

function readRow(words: Uint32Array, at: number): BlobRow {
  return {
    size: readSize(words, at),
    segment: words[at + segmentWord]!,
    offset: words[at + offsetWord]!,
    large: (words[at + flagsWord]! & largeFlag) !== 0,
  };
}

function readHash(words: Uint32Array, at: number): BlobHash {
  const hash = new Uint8Array(hashLength);
  const view = new DataView(hash.buffer);
  for (let i = 0; i < hashWords; i++) view.setUint32(4 * i, words[at + i]!, true);
  return toHash(hash);
}

/** Four bytes as a little-endian number. */
export function lowWord(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)) >>> 0;
}

function isUint32(value: number): boolean {
  return value >>> 0 === value;
}
