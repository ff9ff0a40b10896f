// Which blobs there are and where: what memory knows of the rows, the bytes in use of each segment, and the index that
// follows lazily. Rows change only when their record is durable, in log order, by calls that finish in one step; so at any
// moment memory and index together say what a replay of the log up to its end would give, but for deletions under way.
// One flush at a time writes the changed rows and the log position they belong to as one synced batch.
//
// A row that memory does not have is the index's, unless it is pending: changed since the index was written, or hidden by a
// deletion. Pending rows are never dropped from memory. So the answer is exact, wherever it comes from.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BlobStat } from '../base/blob-store.js';
import { type BlobHash, type Digest, hashHex, hashKey, hashOfKey, toDigest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { isSamePosition, type LogPosition } from '../log/record.js';
import { blobRecordBytes } from './blob-records.js';
import type { BlobRow, BlobTable } from './blob-table.js';
import type { IndexChange, IndexDb, IndexEntry } from './index-db.js';
import type { MemoryRows } from './memory-rows.js';
import type { SegmentUsage } from './segment-usage.js';
import type { TableSource } from './table-file.js';

/** What the catalog needs of the log it follows. */
export interface CatalogLog {
  /** Every record before it has been told to the catalog, and none after it. */
  end(): LogPosition;
  /** Makes everything before the current end durable, files that records refer to included. */
  makeDurable(): Promise<void>;
}

export interface CatalogParts {
  readonly memory: MemoryRows;
  readonly index: IndexDb;
  /** What the index's rows sum up to. From now on the catalog's. */
  readonly usage: SegmentUsage;
  /** Up to where the index has followed the log. */
  readonly indexedTo: LogPosition | undefined;
  /** Changes after which memory may be worth saving. */
  readonly saveChangesMin: number;
  readonly log: CatalogLog;
}

export class Catalog {
  readonly usage: SegmentUsage;
  /** Called when the index lags so far behind that `keepUp` should not wait any longer. */
  onLag: () => void = () => {};
  readonly #memory: MemoryRows;
  readonly #index: IndexDb;
  readonly #log: CatalogLog;
  readonly #saveChangesMin: number;
  #indexedTo: LogPosition | undefined;
  /** Keys of hashes whose rows the index does not have as they are. */
  #changed = new Set<string>();
  /** Those that are being written. */
  #inFlush: ReadonlySet<string>[] = [];
  /** Rows out of sight whose tombstones are not durable yet; the index still has to say that they exist. */
  readonly #condemned = new Map<string, BlobRow>();
  /** While memory is being saved: rows that were out of sight meanwhile. */
  #hiddenInSave: Map<string, BlobRow> | undefined;
  #deletedCount = 0;
  #flushing: Promise<void> | undefined;
  #flushCount = 0;
  /** What a replay from the last saved table would have to do. */
  #unsaved = { changes: 0, logBytes: 0 };

  constructor({ memory, index, usage, indexedTo, saveChangesMin, log }: CatalogParts) {
    this.#saveChangesMin = saveChangesMin;
    this.#memory = memory;
    this.#index = index;
    this.usage = usage;
    this.#indexedTo = indexedTo;
    this.#log = log;
  }

  /** Rows that the index does not have yet. */
  get changedCount(): number {
    return this.#changed.size;
  }

  /** Blobs taken out of sight since the start, those that came back included. */
  get deletedCount(): number {
    return this.#deletedCount;
  }

  /** What memory has of the rows: all, or as many as fit. */
  get table(): BlobTable {
    return this.#memory.table;
  }

  /** Memory held for rows, in bytes. */
  get memoryBytes(): number {
    return this.#memory.byteLength;
  }

  #isPending(key: string): boolean {
    if (this.#changed.has(key) || this.#condemned.has(key)) return true;
    for (const keys of this.#inFlush) if (keys.has(key)) return true;
    return false;
  }

  readonly #mayGo = (hash: BlobHash): boolean => !this.#isPending(hashKey(hash));

  /** Whether the index has to be asked for a row that is not in the table. */
  #isElsewhere(hash: BlobHash): boolean {
    return this.#memory.mayBeElsewhere(hash) && !this.#isPending(hashKey(hash));
  }

  /** Where a blob is. May look at the disk, in this turn of the event loop. */
  find(hash: BlobHash): BlobRow | undefined {
    const row = this.#memory.table.get(hash);
    if (row !== undefined || !this.#isElsewhere(hash)) return row;
    const stored = this.#index.rowNow(hash);
    if (stored !== undefined) this.#memory.keep(hash, stored, this.#mayGo);
    return stored;
  }

  /** Like `find`. */
  has(hash: BlobHash): boolean {
    return this.#memory.table.sizeOf(hash) >= 0 || (this.#isElsewhere(hash) && this.find(hash) !== undefined);
  }

  /** One answer for each hash, in order. For many: what has to come from the disk does not hold the event loop. */
  async stat(hashes: readonly BlobHash[]): Promise<(BlobStat | undefined)[]> {
    const stats = this.#memory.table.sizesOf(hashes).map((size) => (size < 0 ? undefined : { size }));
    await this.#askIndex(hashes, stats, ({ size }) => ({ size }));
    return stats;
  }

  /** The same with all that a row says. */
  async rows(hashes: readonly BlobHash[]): Promise<(BlobRow | undefined)[]> {
    const rows = hashes.map((hash) => this.#memory.table.get(hash));
    await this.#askIndex(hashes, rows, (row) => row);
    return rows;
  }

  /** Fills in the answers that the table does not have. */
  async #askIndex<T>(
    hashes: readonly BlobHash[],
    answers: (T | undefined)[],
    answerOf: (row: BlobRow) => T,
  ): Promise<void> {
    if (this.#memory.isComplete) return;
    const elsewhere: number[] = [];
    for (let i = 0; i < hashes.length; i++) {
      if (answers[i] === undefined && this.#isElsewhere(hashes[i]!)) elsewhere.push(i);
    }
    for (let start = 0; start < elsewhere.length; start += limits.indexStepRowsMax) {
      const step = elsewhere.slice(start, start + limits.indexStepRowsMax);
      const rows = await this.#storedRows(step.map((index) => hashes[index]!));
      for (const [i, row] of rows.entries()) answers[step[i]!] = row && answerOf(row);
    }
  }

  async #storedRows(hashes: readonly BlobHash[]): Promise<(BlobRow | undefined)[]> {
    const flushCount = this.#flushCount;
    const rows = await this.#index.rows(hashes);
    // What the index said before a flush may be news of yesterday.
    if (flushCount !== this.#flushCount) return rows;
    for (const [i, row] of rows.entries()) {
      const hash = hashes[i]!;
      if (row === undefined || this.#memory.table.sizeOf(hash) >= 0 || !this.#mayGo(hash)) continue;
      this.#memory.keep(hash, row, this.#mayGo);
    }
    return rows;
  }

  /** Says where a blob is from now on. */
  place(hash: BlobHash, row: BlobRow): void {
    const old = this.find(hash);
    if (old !== undefined) this.usage.removeBlob(old);
    this.#memory.set(hash, row);
    this.usage.addBlob(row);
    this.#unsaved.logBytes += blobRecordBytes(row);
    this.#noteChange(hashKey(hash));
  }

  #noteChange(key: string): void {
    this.#changed.add(key);
    this.#unsaved.changes++;
    if (this.#changed.size === limits.indexLagRowsMax) this.onLag();
  }

  /** Lets memory hear of a record that the index knows, while the store is being opened; without a row, of a tombstone. */
  catchUp(hash: BlobHash, row: BlobRow | undefined): void {
    this.#memory.catchUp(hash, row);
    this.#unsaved.changes++;
    if (row !== undefined) this.#unsaved.logBytes += blobRecordBytes(row);
  }

  /**
   * The next change of this blob, while the store is being opened, is one to what the index says: the record that memory
   * would have it from may be gone.
   */
  trustIndex(hash: BlobHash): void {
    if (this.#isPending(hashKey(hash))) return;
    const row = this.#index.rowNow(hash);
    if (row === undefined) this.#memory.table.delete(hash);
    else this.#memory.table.set(hash, row);
  }

  /** Takes a blob out of sight; `forget` or `restore` must follow. */
  condemn(hash: BlobHash, row: BlobRow): void {
    const key = hashKey(hash);
    this.#deletedCount++;
    this.#memory.delete(hash);
    this.usage.removeBlob(row);
    this.#condemned.set(key, row);
    this.#hiddenInSave?.set(key, row);
  }

  /** The condemned blob's tombstone is durable. */
  forget(hash: BlobHash): void {
    const key = hashKey(hash);
    this.#condemned.delete(key);
    this.#noteChange(key);
  }

  /** The condemned blob's tombstone could not be written: it is back, unless it was stored again meanwhile. */
  restore(hash: BlobHash): void {
    const key = hashKey(hash);
    const row = this.#condemned.get(key);
    // Until it has been placed, the index's row would be taken for one that it replaces.
    if (row !== undefined && this.#memory.table.sizeOf(hash) < 0) this.place(hash, row);
    this.#condemned.delete(key);
  }

  /** A row points into the segment, or will when a delete under way fails. */
  hasRowsIn(segment: number): boolean {
    if (this.usage.blobBytes(segment) > 0) return true;
    for (const row of this.#condemned.values()) if (row.segment === segment) return true;
    return false;
  }

  /** Makes everything durable that the log has been told before the call. */
  makeDurable(): Promise<void> {
    return this.#log.makeDurable();
  }

  /** Removes a row while the store is being opened. */
  drop(hash: BlobHash): void {
    const row = this.find(hash);
    if (row === undefined) return;
    this.condemn(hash, row);
    this.forget(hash);
  }

  /** Removes the rows into segments that are gone. Walks the whole index. */
  async dropRowsInto(isGone: (segment: number) => boolean): Promise<void> {
    for await (const entries of this.#index.entries()) {
      for (const { hash, row } of entries) {
        if (!isGone(row.segment) || this.#isPending(hashKey(hash))) continue;
        this.trustIndex(hash);
        this.drop(hash);
      }
    }
  }

  /** Brings the index up to date. Calls while one runs share the next one. */
  async flush(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
    if (this.#changed.size === 0 && this.#indexedTo && isSamePosition(this.#log.end(), this.#indexedTo)) return;
    this.#flushing = this.#flushOnce().finally(() => {
      this.#flushing = undefined;
    });
    await this.#flushing;
  }

  async #flushOnce(): Promise<void> {
    try {
      const { changes, position } = await this.#gather();
      await this.#log.makeDurable();
      await this.#index.apply(changes, position);
      this.#indexedTo = position;
    } catch (error) {
      for (const keys of this.#inFlush) for (const key of keys) this.#changed.add(key);
      throw error;
    } finally {
      this.#inFlush = [];
      this.#flushCount++;
    }
    await this.#memory.trim(this.#mayGo);
  }

  /**
   * All changes, and the position that they belong to exactly: what changes while the many are gathered in steps is
   * gathered again, until it can be done in one. The steps grow, so that whatever is stored beside them is caught up with.
   */
  async #gather(): Promise<{ changes: IndexChange[]; position: LogPosition }> {
    const changes: IndexChange[] = [];
    for (let step: number = limits.indexStepRowsMax; ; step *= 2) {
      const keys = this.#changed;
      this.#changed = new Set();
      this.#inFlush.push(keys);
      const isLast = keys.size <= step;
      for (const key of keys) {
        const hash = hashOfKey(key);
        changes.push({ hash, row: this.#memory.table.get(hash) ?? this.#condemned.get(key) });
        if (!isLast && changes.length % step === 0) await nextTurn();
      }
      if (isLast) return { changes, position: this.#log.end() };
    }
  }

  /** Brings the index up to date and keeps the memory for rows within its bounds. Not to be called while it runs. */
  async keepUp(isStopped: () => boolean = () => false): Promise<void> {
    await this.flush();
    if (!this.#memory.needsFilter(this.usage.blobs)) return;
    const filter = this.#memory.beginFilter();
    try {
      // What was there before the filter is in the index after this.
      await this.flush();
      let after: BlobHash | undefined;
      for (;;) {
        const entries = await this.#index.list(after, limits.indexStepRowsMax);
        for (const { hash } of entries) filter.add(hash);
        if (entries.length < limits.indexStepRowsMax) break;
        after = entries.at(-1)!.hash;
        if (isStopped()) {
          this.#memory.abandonFilter();
          return;
        }
      }
    } catch (error) {
      this.#memory.abandonFilter();
      throw error;
    }
    this.#memory.endFilter();
    await this.#memory.trim(this.#mayGo);
  }

  /** Opening the store again after a crash would take long by now. */
  get shouldSave(): boolean {
    const { changes, logBytes } = this.#unsaved;
    const changesMax = this.usage.blobs / limits.tableSaveRowsPerChange;
    const logBytesMax = this.#memory.byteLength * limits.tableSaveLogBytesPerByte;
    return (
      changes > Math.max(this.#saveChangesMin, changesMax) ||
      logBytes > Math.max(limits.tableSaveLogBytesMin, logBytesMax)
    );
  }

  /**
   * Runs `save` on what memory knows, so that it may be loaded again together with the index. Other calls may go on beside
   * it; only one save at a time. The answer is `save`'s: whether it came to its end.
   */
  async saveMemory(
    save: (source: TableSource) => Promise<boolean>,
    isStopped: () => boolean = () => false,
  ): Promise<boolean> {
    const { table, filter, isComplete } = this.#memory;
    const unsaved = this.#unsaved;
    this.#unsaved = { changes: 0, logBytes: 0 };
    const hidden = new Map(this.#condemned);
    this.#hiddenInSave = hidden;
    let saved = false;
    try {
      saved = await save({
        table,
        filter,
        isComplete,
        position: this.#log.end(),
        closing: () => ({ indexedTo: this.#log.end(), hidden: Array.from(hidden, toEntry) }),
        indexed: () => this.flush(),
        isStopped: () => isStopped() || this.#memory.isComplete !== isComplete,
      });
    } finally {
      this.#hiddenInSave = undefined;
      if (!saved) {
        this.#unsaved.changes += unsaved.changes;
        this.#unsaved.logBytes += unsaved.logBytes;
      }
    }
    return saved;
  }

  /** Blobs in order of hash, after a given one. Reads from the index, so that it has to be brought up to date. */
  async list(after: BlobHash | undefined, limit: number): Promise<Digest[]> {
    try {
      await this.flush();
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      return this.#listBeside(after, limit);
    }
    return this.#listIndexed(after, limit);
  }

  /** The same when the disk takes no index: what it does not have is merged in. */
  async #listBeside(after: BlobHash | undefined, limit: number): Promise<Digest[]> {
    const found = new Map<string, Digest>();
    // Those of now: the index may take them while it is read.
    const pending = [this.#changed, ...this.#inFlush].flatMap((keys) => [...keys]);
    for (const digest of await this.#listIndexed(after, limit)) found.set(hashHex(digest.hash), digest);
    const from = after === undefined ? '' : hashHex(after);
    for (const key of pending) {
      const hash = hashOfKey(key);
      const hex = hashHex(hash);
      const row = hex > from ? this.find(hash) : undefined;
      if (row !== undefined) found.set(hex, toDigest(hash, row.size));
    }
    return [...found.keys()]
      .sort()
      .slice(0, limit)
      .map((hex) => found.get(hex)!);
  }

  async #listIndexed(after: BlobHash | undefined, limit: number): Promise<Digest[]> {
    const found: Digest[] = [];
    let from = after;
    while (found.length < limit) {
      const wanted = limit - found.length;
      const entries = await this.#index.list(from, wanted);
      for (const { hash, row } of entries) if (this.#isStillThere(hash)) found.push(toDigest(hash, row.size));
      from = entries.at(-1)?.hash;
      if (entries.length < wanted) break;
    }
    return found;
  }

  /** Whether a blob that the index lists has not been deleted since. */
  #isStillThere(hash: BlobHash): boolean {
    return this.#memory.table.sizeOf(hash) >= 0 || (!this.#memory.isComplete && this.#mayGo(hash));
  }
}

function toEntry([key, row]: readonly [string, BlobRow]): IndexEntry {
  return { hash: hashOfKey(key), row };
}
