// Which blobs there are and where: the exact table in memory, the bytes in use of each segment, and the LevelDB index
// that follows lazily. Rows change only when their record is durable, in log order, by calls that finish in one step;
// so at any moment the table is what a replay of the log up to its end would give, but for deletions under way.
// One flush at a time writes the changed rows and the log position they belong to as one synced batch.

import { type BlobHash, type Digest, hashHex, hashKey, hashOfKey, toDigest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import type { LogPosition } from '../log/record.js';
import { blobRecordBytes } from './blob-records.js';
import { type BlobRow, type BlobTable, shardCount } from './blob-table.js';
import type { IndexChange, IndexDb } from './index-db.js';
import { SegmentUsage } from './segment-usage.js';

/** What the catalog needs of the log it follows. */
export interface CatalogLog {
  /** Every record before it has been told to the catalog, and none after it. */
  end(): LogPosition;
  /** Makes everything before the current end durable, files that records refer to included. */
  makeDurable(): Promise<void>;
}

export class Catalog {
  readonly usage = new SegmentUsage();
  readonly #table: BlobTable;
  readonly #index: IndexDb;
  readonly #log: CatalogLog;
  /** Keys of hashes. */
  #changed = new Set<string>();
  /** Rows out of sight whose tombstones are not durable yet; the index still has to say that they exist. */
  readonly #condemned = new Map<string, BlobRow>();
  #flushing: Promise<void> | undefined;

  constructor(table: BlobTable, index: IndexDb, log: CatalogLog) {
    this.#table = table;
    this.#index = index;
    this.#log = log;
    table.forEach((_hash, row) => {
      this.usage.addBlob(row.segment, blobRecordBytes(row));
    });
  }

  get table(): BlobTable {
    return this.#table;
  }

  /** Rows that the index does not have yet. */
  get changedCount(): number {
    return this.#changed.size;
  }

  find(hash: BlobHash): BlobRow | undefined {
    return this.#table.get(hash);
  }

  has(hash: BlobHash): boolean {
    return this.#table.sizeOf(hash) >= 0;
  }

  /** The index may not have what the table says of this blob. */
  touch(hash: BlobHash): void {
    this.#changed.add(hashKey(hash));
  }

  /** Says where a blob is from now on. */
  place(hash: BlobHash, row: BlobRow): void {
    const old = this.has(hash) ? this.#table.get(hash) : undefined;
    if (old !== undefined) this.usage.removeBlob(old.segment, blobRecordBytes(old));
    this.#table.set(hash, row);
    this.usage.addBlob(row.segment, blobRecordBytes(row));
    this.touch(hash);
  }

  /** Takes a blob out of sight; `forget` or `restore` must follow. */
  condemn(hash: BlobHash, row: BlobRow): void {
    this.#table.delete(hash);
    this.usage.removeBlob(row.segment, blobRecordBytes(row));
    this.#condemned.set(hashKey(hash), row);
  }

  /** The condemned blob's tombstone is durable. */
  forget(hash: BlobHash): void {
    const key = hashKey(hash);
    this.#condemned.delete(key);
    this.#changed.add(key);
  }

  /** The condemned blob's tombstone could not be written: it is back, unless it was stored again meanwhile. */
  restore(hash: BlobHash): void {
    const key = hashKey(hash);
    const row = this.#condemned.get(key);
    this.#condemned.delete(key);
    if (row !== undefined && !this.has(hash)) this.place(hash, row);
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

  /** Removes a row that turned out to be wrong while the store was being opened. */
  drop(hash: BlobHash): void {
    const row = this.#table.get(hash);
    if (row === undefined) return;
    this.condemn(hash, row);
    this.forget(hash);
  }

  /** Brings the index up to date. Calls while one runs share the next one. */
  async flush(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
    if (this.#changed.size === 0) return;
    this.#flushing = this.#flushOnce().finally(() => {
      this.#flushing = undefined;
    });
    await this.#flushing;
  }

  async #flushOnce(): Promise<void> {
    const position = this.#log.end();
    const changes: IndexChange[] = [];
    const written = this.#changed;
    for (const key of written) {
      const hash = hashOfKey(key);
      changes.push({ hash, row: this.#table.get(hash) ?? this.#condemned.get(key) });
    }
    this.#changed = new Set();
    try {
      await this.#log.makeDurable();
      await this.#index.apply(changes, position);
    } catch (error) {
      for (const key of written) this.#changed.add(key);
      throw error;
    }
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
    for (const digest of await this.#listIndexed(after, limit)) found.set(hashHex(digest.hash), digest);
    const from = after === undefined ? '' : hashHex(after);
    for (const key of this.#changed) {
      const hash = hashOfKey(key);
      const hex = hashHex(hash);
      const size = this.#table.sizeOf(hash);
      if (size >= 0 && hex > from) found.set(hex, toDigest(hash, size));
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
      for (const { hash, row } of entries) if (this.has(hash)) found.push(toDigest(hash, row.size));
      from = entries.at(-1)?.hash;
      if (entries.length < wanted) break;
    }
    return found;
  }

  /** Writes the whole table into an empty index. The position comes last, so that a crash in between leaves none. */
  async writeWholeIndex(position: LogPosition): Promise<void> {
    for (let shard = 0; shard < shardCount; shard++) {
      const rows: IndexChange[] = [];
      this.#table.forEachInShard(shard, (hash, row) => rows.push({ hash, row }));
      if (rows.length > 0) await this.#index.apply(rows, undefined);
    }
    await this.#index.apply([], position);
    this.#changed.clear();
  }
}
