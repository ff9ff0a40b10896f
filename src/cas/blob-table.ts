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
import { assert } from '../base/errors.js';
import type { Random } from '../base/random.js';
import {
  type BlobRow,
  copySlot,
  findSlot,
  flagsWord,
  hashWords,
  homeOf,
  isUsed,
  largeFlag,
  lowWord,
  mixHash,
  nextSlot,
  offsetWord,
  readHash,
  readRow,
  readSize,
  segmentWord,
  shardCount,
  shardOfMix,
  sizeWord,
  slotBytes,
  uint32End,
  usedFlag,
  wordsPerSlot,
} from './table-slot.js';

export type { BlobRow } from './table-slot.js';

/** Slots as 32-bit words in the machine's byte order. */
export type ShardWords = Uint32Array<SharedArrayBuffer>;

/** Two odd 32-bit numbers. */
export type TableSecret = readonly [number, number];

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
  /** In each shard, the slot where the next search for a row to drop begins. */
  readonly #hands = new Uint32Array(shardCount);
  #scratch = new Uint32Array(0);
  #touched = 0;
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
    const words = this.#shards[shardOfMix(mixed)]!;
    const at = findSlot(words, mixed, hash);
    return at < 0 ? undefined : readRow(words, at);
  }

  /** The blob's size, −1 when it is absent. Allocates nothing: every digest of a negotiation comes by here. */
  sizeOf(hash: BlobHash): number {
    const mixed = this.#mix(hash);
    const words = this.#shards[shardOfMix(mixed)]!;
    const at = findSlot(words, mixed, hash);
    return at < 0 ? -1 : readSize(words, at);
  }

  /**
   * The sizes of many blobs, −1 for each that is absent. The slots where the searches begin are touched one right after the
   * other before the first is searched: so the processor waits for many of them at once, and not for each by itself.
   */
  sizesOf(hashes: readonly BlobHash[]): number[] {
    const count = hashes.length;
    const mixed = new Uint32Array(count);
    for (let i = 0; i < count; i++) mixed[i] = this.#mix(hashes[i]!);
    let touched = 0;
    for (let i = 0; i < count; i++) {
      const words = this.#shards[shardOfMix(mixed[i]!)]!;
      const at = homeOf(words, mixed[i]!);
      touched |= words[at]! | words[at + wordsPerSlot]!;
    }
    // Kept, so that the loop above is not taken for useless.
    this.#touched ^= touched;
    const sizes = new Array<number>(count);
    for (let i = 0; i < count; i++) {
      const words = this.#shards[shardOfMix(mixed[i]!)]!;
      const at = findSlot(words, mixed[i]!, hashes[i]!);
      sizes[i] = at < 0 ? -1 : readSize(words, at);
    }
    return sizes;
  }

  /** Adds a row, or replaces the one the hash has. */
  set(hash: BlobHash, row: BlobRow): void {
    assert(Number.isInteger(row.size) && row.size >= 0 && row.size < sizeEnd, `size ${row.size} has no 48 bits`);
    assert(isUint32(row.segment) && isUint32(row.offset), `place ${row.segment}:${row.offset} is not of 32 bits`);
    const mixed = this.#mix(hash);
    const shard = shardOfMix(mixed);
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
    const shard = shardOfMix(mixed);
    const at = findSlot(this.#shards[shard]!, mixed, hash);
    if (at < 0) return false;
    this.#deleteAt(shard, at);
    return true;
  }

  #deleteAt(shard: number, at: number): void {
    this.#noteChange(shard);
    this.#take(shard, this.#shards[shard]!, at);
    this.#noteChange(shard);
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

  /** A blob that is not in the table may exist all the same, from now on: readers in other threads will not know. */
  becomePartial(): void {
    Atomics.store(this.#control, partialWord, 1);
  }

  /** Deletes one row of a shard that may go, whichever comes next; false when none may. */
  dropOne(shard: number, mayGo: (hash: BlobHash) => boolean): boolean {
    const words = this.#shards[shard]!;
    const slotCount = words.length / wordsPerSlot;
    for (let tried = 0; tried < slotCount; tried++) {
      const slot = this.#hands[shard]! % slotCount;
      const at = slot * wordsPerSlot;
      if (isUsed(words, at) && mayGo(readHash(words, at))) {
        // The hand stays: another row may have moved into the slot.
        this.#deleteAt(shard, at);
        return true;
      }
      this.#hands[shard] = slot + 1;
    }
    return false;
  }

  /** Rows in one shard. */
  countIn(shard: number): number {
    return this.#used[shard]!;
  }

  shardOf(hash: BlobHash): number {
    return shardOfMix(this.#mix(hash));
  }

  /** Visits every row, in no order. The visitor must not change the table. */
  forEach(visit: (hash: BlobHash, row: BlobRow) => void): void {
    for (let shard = 0; shard < shardCount; shard++) {
      const words = this.#shards[shard]!;
      for (let at = 0; at < words.length; at += wordsPerSlot) {
        if (isUsed(words, at)) visit(readHash(words, at), readRow(words, at));
      }
    }
  }

  /** The hashes of one shard whose rows point into such a segment. */
  hashesInto(shard: number, isOne: (segment: number) => boolean): BlobHash[] {
    const words = this.#shards[shard]!;
    const found: BlobHash[] = [];
    let asked = -1;
    let answer = false;
    for (let at = 0; at < words.length; at += wordsPerSlot) {
      if (!isUsed(words, at)) continue;
      const segment = words[at + segmentWord]!;
      if (segment !== asked) answer = isOne(segment);
      asked = segment;
      if (answer) found.push(readHash(words, at));
    }
    return found;
  }

  /** Every row's slot, one behind the other, as `decodeSlots` reads them. */
  usedSlots(): Uint8Array {
    const slots = new Uint32Array(this.#count * wordsPerSlot);
    let to = 0;
    for (const words of this.#shards) {
      for (let at = 0; at < words.length; at += wordsPerSlot) {
        if (!isUsed(words, at)) continue;
        copySlot(words, at, slots, to);
        to += wordsPerSlot;
      }
    }
    return new Uint8Array(slots.buffer);
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
      if (shardOfMix(mixed) !== shard || distance > run * wordsPerSlot) return undefined;
      run += 1;
      used += 1;
      bytes += readSize(words, at);
    }
    const endsEverySearch = capacity === 0 || used < capacity;
    return endsEverySearch ? { used, bytes } : undefined;
  }
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

function isUint32(value: number): boolean {
  return value >>> 0 === value;
}
