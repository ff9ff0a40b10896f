// What memory knows of the rows: all of them, in the exact table; or, when there are more than fit, as many as fit, and a
// filter over all. Then a row that is not in the table is in the index, if the filter does not exclude it. Rows are dropped
// from the table only when the index has them; which ones is left to chance. The filter is built before it is needed.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BlobHash } from '../base/digest.js';
import { assert } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { BlobFilter, filterBlockBytes } from './blob-filter.js';
import type { BlobRow, BlobTable } from './blob-table.js';
import { shardCount } from './table-slot.js';

/** A row of the table takes so many bytes at worst: a slot of 48 at a load of 0.75. */
const rowBytes = 64;
/** The part of the memory that a filter takes; another one takes as much while it is filled in its place. */
const filterPart = 1 / 16;
/** A filter is built when the table is so full. */
const nearlyFull = 7 / 8;

export interface MemoryShares {
  readonly rowsMax: number;
  readonly filterBytes: number;
}

/** How table and filters share the memory for the index. */
export function sharesOf(memoryBytes: number): MemoryShares {
  const filterBytes = filterBlockBytes * Math.max(1, Math.floor((memoryBytes * filterPart) / filterBlockBytes));
  return { rowsMax: Math.floor((memoryBytes * (1 - 2 * filterPart)) / rowBytes), filterBytes };
}

export class MemoryRows {
  readonly table: BlobTable;
  readonly shares: MemoryShares;
  #filter: BlobFilter | undefined;
  /** A filter that is being filled to take the other's place. */
  #nextFilter: BlobFilter | undefined;
  #isComplete: boolean;

  constructor(shares: MemoryShares, table: BlobTable, filter: BlobFilter | undefined, isComplete: boolean) {
    assert(isComplete || filter !== undefined, 'what is not in the table is in the filter');
    this.shares = shares;
    this.table = table;
    this.#filter = filter;
    this.#isComplete = isComplete;
    if (!isComplete) table.becomePartial();
  }

  /** The table has every row. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  get filter(): BlobFilter | undefined {
    return this.#filter;
  }

  /** Memory held, in bytes. */
  get byteLength(): number {
    return this.table.byteLength + (this.#filter?.bytes.length ?? 0) + (this.#nextFilter?.bytes.length ?? 0);
  }

  /** Whether a hash that the table has not may have a row all the same. */
  mayBeElsewhere(hash: BlobHash): boolean {
    return !this.#isComplete && this.#filter!.mayHold(hash);
  }

  set(hash: BlobHash, row: BlobRow): void {
    this.table.set(hash, row);
    this.#addToFilters(hash);
  }

  delete(hash: BlobHash): void {
    this.table.delete(hash);
  }

  /** Follows the index, which has the row, or has it no more. */
  catchUp(hash: BlobHash, row: BlobRow | undefined): void {
    if (this.#isComplete && row !== undefined) this.table.set(hash, row);
    else this.table.delete(hash);
    if (row !== undefined) this.#addToFilters(hash);
  }

  #addToFilters(hash: BlobHash): void {
    this.#filter?.add(hash);
    this.#nextFilter?.add(hash);
  }

  /** Keeps a row that the index has in the place of another one, as long as there is one that may go. */
  keep(hash: BlobHash, row: BlobRow, mayGo: (hash: BlobHash) => boolean): void {
    const shard = this.table.shardOf(hash);
    const rowsMax = this.#rowsMaxIn(shard);
    if (rowsMax === 0) return;
    if (this.table.countIn(shard) < rowsMax || this.table.dropOne(shard, mayGo)) this.table.set(hash, row);
  }

  /** Whether a filter should be filled: the first, or one without the hashes that are gone. */
  needsFilter(blobCount: number): boolean {
    if (this.#filter === undefined) return this.table.count >= this.shares.rowsMax * nearlyFull;
    return this.#filter.addedCount > 2 * blobCount + limits.filterStaleCountMin;
  }

  /** From now on the filter to come hears of every hash that is set; who fills it adds those from before. */
  beginFilter(): BlobFilter {
    this.#nextFilter = new BlobFilter(this.shares.filterBytes);
    return this.#nextFilter;
  }

  /** The filter holds all hashes that have a row. */
  endFilter(): void {
    this.#filter = this.#nextFilter;
    this.#nextFilter = undefined;
  }

  abandonFilter(): void {
    this.#nextFilter = undefined;
  }

  /** Drops rows that may go until no shard has more than its part. */
  async trim(mayGo: (hash: BlobHash) => boolean): Promise<void> {
    if (this.#filter === undefined) return;
    let dropped = 0;
    for (let shard = 0; shard < shardCount; shard++) {
      while (this.table.countIn(shard) > this.#rowsMaxIn(shard)) {
        // Before the row is gone, whoever looks for it must know that this may be.
        if (this.#isComplete) this.table.becomePartial();
        this.#isComplete = false;
        if (!this.table.dropOne(shard, mayGo)) break;
        if (++dropped % limits.indexStepRowsMax === 0) await nextTurn();
      }
    }
  }

  /** The shards' parts differ by one at most, and sum up to the whole. */
  #rowsMaxIn(shard: number): number {
    return Math.floor((this.shares.rowsMax + shard) / shardCount);
  }
}
