// The blob store on this machine's disk. The log is the truth; the catalog says from memory what the log says. A write is
// spooled, then committed: a record for a small blob, a file and a record that refers to it for a large one. It is visible
// when that record is durable. A delete takes the blob out of sight, then writes its tombstone.
// A failed sync poisons the store: what the disk holds is then unknown, so it takes no more writes; reads go on.

import { allDone } from '../base/all-done.js';
import type {
  BlobHandle,
  BlobSource,
  BlobStat,
  BlobStore,
  Durability,
  ListOptions,
  NamedBlob,
  StoreUsage,
  WriteManyOptions,
  WriteOptions,
  WriteResult,
} from '../base/blob-store.js';
import { type BlobHash, type Digest, emptyDigest, toDigest } from '../base/digest.js';
import { assert, CairnError, errorCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { TurnBudget } from '../base/node/turn-budget.js';
import type { FileSystem } from '../log/file-system.js';
import type { Log } from '../log/log.js';
import type { RecordPlace } from '../log/record.js';
import { BatchWriter } from './batch-writer.js';
import { largeBlobRecord, packedBlobRecord, tombstoneRecord, tombstoneRecordBytes } from './blob-records.js';
import type { BlobRow } from './blob-table.js';
import type { Catalog } from './catalog.js';
import { CommitQueue } from './commit-queue.js';
import type { LaggingFiles } from './lagging-files.js';
import type { LargeFileName, LargeFiles } from './large-files.js';
import { type BlobPlaces, isEmptyBlob, isSameRow, openBlob, recordAt } from './open-blob.js';
import type { OpenLargeFiles } from './open-large-files.js';
import type { Poison } from './poison.js';
import { dropSpooled, type Spooled } from './spool.js';
import type { SharedChange, SharedParts, StoreOwner } from './store-owner.js';
import { checkExpected } from './write-checks.js';
import { type Committer, writeSource } from './write-source.js';

export interface LocalStoreParts {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly logDirectory: string;
  readonly log: Log;
  readonly catalog: Catalog;
  readonly files: LargeFiles;
  readonly openFiles: OpenLargeFiles;
  readonly durability: Durability;
  readonly lagging: LaggingFiles;
  readonly poison: Poison;
  /** Whom to tell of what changes for threads that read beside this one. */
  readonly watchers: Set<(change: SharedChange) => void>;
  /** Stops what runs in the background and releases what the store holds, after the last write. */
  readonly shutDown: () => Promise<void>;
}

export class LocalStore implements BlobStore {
  readonly commits = new CommitQueue();
  readonly #deletes = new CommitQueue();
  readonly #turns = new TurnBudget(limits.writeSliceCountMax);
  readonly #parts: LocalStoreParts;
  readonly #writes = new Set<Promise<unknown>>();
  readonly #places: BlobPlaces;
  readonly #committer: Committer;
  #closing: Promise<void> | undefined;

  constructor(parts: LocalStoreParts) {
    const { log, catalog, files, openFiles } = parts;
    this.#parts = parts;
    this.#places = {
      find: (hash) => {
        this.#refuseWhenClosed();
        return catalog.find(hash);
      },
      openRecord: (at, lengthHint) => log.openRecord(at, lengthHint),
      openRecordNow: (at, lengthHint) => log.openRecordNow(at, lengthHint),
      openLarge: (name, digest) => files.acquire(name, digest),
      closeLarge: (file) => files.release(file),
      openFiles,
    };
    this.#committer = {
      durability: parts.durability,
      commit: (spooled, expect) => this.#commit(spooled, expect),
      whenStored: (hash, callback) => this.#whenStored(hash, callback),
      existed: (digest) => this.#result(digest, true),
    };
  }

  #refuseWhenClosed(): void {
    if (this.#closing !== undefined) throw new CairnError('unavailable', 'the store is closed');
  }

  async stat(hashes: readonly BlobHash[]): Promise<(BlobStat | undefined)[]> {
    this.#refuseWhenClosed();
    const stats = await this.#parts.catalog.stat(hashes);
    for (let index = 0; index < stats.length; index++) {
      if (stats[index] === undefined && isEmptyBlob(hashes[index]!)) stats[index] = { size: 0 };
    }
    return stats;
  }

  open(hash: BlobHash): Promise<BlobHandle | undefined> {
    return openBlob(this.#places, hash);
  }

  async write(source: BlobSource, options: WriteOptions = {}): Promise<WriteResult> {
    this.#refuseWhenClosed();
    this.#parts.poison.refuse();
    return this.#tracked(this.#write(source, options));
  }

  /** Closing waits for it. */
  async #tracked<T>(writing: Promise<T>): Promise<T> {
    this.#writes.add(writing);
    try {
      return await writing;
    } finally {
      this.#writes.delete(writing);
    }
  }

  writeMany(blobs: readonly NamedBlob[], options?: WriteManyOptions): Promise<(WriteResult | CairnError)[]> {
    return this.#writeMany(blobs, options, false);
  }

  async #writeMany(
    blobs: readonly NamedBlob[],
    { signal }: WriteManyOptions = {},
    areVerified: boolean,
  ): Promise<(WriteResult | CairnError)[]> {
    this.#refuseWhenClosed();
    const parts = {
      ...this.#parts,
      commits: this.commits,
      turns: this.#turns,
      signal,
      areVerified,
      appear: (digest: Digest, place: RecordPlace) => this.#appear(digest, place, false),
      writeOne: ({ digest, bytes }: NamedBlob) => this.#write(bytes, { expect: digest, signal }),
    };
    return this.#tracked(new BatchWriter(parts, blobs).run());
  }

  #write(source: BlobSource, options: WriteOptions): Promise<WriteResult> {
    return writeSource(this.#committer, this.#parts.files.temporary, source, options);
  }

  #whenStored(hash: BlobHash, callback: (stored: Digest) => void): () => void {
    const row = this.#parts.catalog.find(hash);
    const stopWaiting = this.commits.whenStored(hash, callback);
    if (row !== undefined) callback(toDigest(hash, row.size));
    return stopWaiting;
  }

  async #commit(spooled: Spooled, expect: Digest | undefined): Promise<WriteResult> {
    const { digest } = spooled;
    try {
      checkExpected(expect, digest);
      if (digest.size === 0) return this.#result(emptyDigest, true);
      await this.#parts.log.waitForRoom();
      const existed = await this.commits.run(
        digest.hash,
        () => this.#parts.catalog.has(digest.hash),
        () => (spooled.kind === 'packed' ? this.#commitPacked(digest, spooled.bytes) : this.#commitLarge(spooled)),
      );
      if (existed) await dropSpooled(this.#parts.files.temporary, spooled);
      return this.#result(digest, existed);
    } catch (error) {
      await dropSpooled(this.#parts.files.temporary, spooled);
      throw error;
    }
  }

  #result(digest: Digest, existed: boolean): WriteResult {
    return { digest, existed, durability: this.#parts.durability };
  }

  #commitPacked(digest: Digest, bytes: Uint8Array): Promise<void> {
    this.#parts.poison.refuse();
    const record = packedBlobRecord(digest.hash, bytes);
    return this.#parts.log.append(record, (place) => this.#appear(digest, place, false));
  }

  /** Runs in log order, when the blob's record is durable. */
  #appear(digest: Digest, { segment, offset }: RecordPlace, large: boolean): void {
    this.#parts.catalog.place(digest.hash, { size: digest.size, segment, offset, large });
    this.commits.announce(digest);
  }

  async #commitLarge({ digest, file, checksums }: Spooled & { kind: 'large' }): Promise<void> {
    this.#parts.poison.refuse();
    const { log, files, durability, lagging, poison } = this.#parts;
    const lazily = durability === 'memory';
    if (!lazily) await poison.guard(() => file.sync());
    const name = await files.adopt(file, digest.hash);
    try {
      if (!lazily) await poison.guard(() => files.syncDirectory(digest.hash));
      poison.refuse();
      if (lazily) lagging.addUnsynced(name);
      await log.append(largeBlobRecord(digest, name.file, lazily, checksums), (place) =>
        this.#appear(digest, place, true),
      );
    } catch (error) {
      lagging.forgetUnsynced(name);
      // After a failed sync nobody knows whether the record is in the log. The next opening does, and sweeps if it is not.
      if (errorCode(error) === 'storage') files.leaveBehind();
      else await files.condemn(name);
      throw error;
    }
  }

  async delete(hashes: readonly BlobHash[]): Promise<boolean[]> {
    this.#refuseWhenClosed();
    this.#parts.poison.refuse();
    return this.#tracked(allDone<boolean[]>(hashes.map((hash) => this.#delete(hash))));
  }

  async #delete(hash: BlobHash): Promise<boolean> {
    if (isEmptyBlob(hash)) return false;
    const { log, catalog } = this.#parts;
    await log.waitForRoom();
    // Whoever finds the blob gone waits until it certainly is.
    const absent = await this.#deletes.run(
      hash,
      () => !catalog.has(hash),
      () => this.#deletePresent(hash),
    );
    return !absent;
  }

  async #deletePresent(hash: BlobHash): Promise<void> {
    const { log, catalog, files, durability, lagging } = this.#parts;
    let row = catalog.find(hash)!;
    let name: LargeFileName | undefined;
    while (row.large) {
      name = await this.#fileOf(hash, row);
      if (isSameRow(catalog.find(hash), row)) break;
      // Only compaction is beside us, and moves it.
      row = catalog.find(hash)!;
    }
    // All of this in one step, or who stores the blob again could come before the tombstone in the log.
    catalog.condemn(hash, row);
    const closed = row.large ? this.#closeForAll(hash) : undefined;
    try {
      await log.append(tombstoneRecord(hash), (place) => {
        catalog.usage.addTombstone(place.segment, tombstoneRecordBytes());
        catalog.forget(hash);
      });
    } catch (error) {
      catalog.restore(hash);
      // Stored again meanwhile, the blob has another file by now.
      if (row.large) files.leaveBehind();
      throw error;
    }
    await closed;
    if (name === undefined) {
      if (row.large) files.leaveBehind();
    } else if (durability === 'memory') lagging.addCondemned(name);
    else await files.condemn(name);
  }

  /**
   * Here and in other threads: who finds the blob from now on is none of those that had it open. Resolves, whatever comes of
   * it, when its file is closed here.
   */
  #closeForAll(hash: BlobHash): Promise<void> {
    for (const watcher of this.#parts.watchers) watcher({ kind: 'large-blob-removed', hash });
    return this.#parts.openFiles.forget(hash);
  }

  /** Which file a large blob's record refers to; undefined when the record is damaged, and the file then left behind. */
  async #fileOf(hash: BlobHash, row: BlobRow): Promise<LargeFileName | undefined> {
    try {
      const blob = await recordAt(this.#parts.log, row);
      return blob?.kind === 'large' ? { hash, file: blob.file } : undefined;
    } catch (error) {
      if (errorCode(error) === 'corrupt') return undefined;
      throw error;
    }
  }

  async list({ after, limit }: ListOptions): Promise<Digest[]> {
    this.#refuseWhenClosed();
    assert(limit > 0, 'a list has room for something');
    return this.#parts.catalog.list(after, limit);
  }

  async usage(): Promise<StoreUsage> {
    this.#refuseWhenClosed();
    const { blobs, bytes } = this.#parts.catalog.usage;
    return { blobs, bytes };
  }

  /** Changes with every blob that is deleted, by whomever, as it goes out of sight. While it stays, what was there is there. */
  get deletedCount(): number {
    return this.#parts.catalog.deletedCount;
  }

  /** For another thread of this process, which is to be told of every change from now on. */
  share(onChange: (change: SharedChange) => void): { readonly parts: SharedParts; readonly owner: StoreOwner } {
    const { catalog, directory, logDirectory, durability, watchers } = this.#parts;
    watchers.add(onChange);
    const table = catalog.table.share((shard, to) => onChange({ kind: 'moved', shard, to }));
    const owner: StoreOwner = {
      find: async (hashes) => {
        this.#refuseWhenClosed();
        return catalog.rows(hashes);
      },
      commitLarge: (digest, path, checksums) => this.#commitShared(() => this.#takeOver(digest, path, checksums)),
      commitMany: (blobs, options) => this.#writeMany(blobs, options, true),
      stored: (hash, signal) => this.#stored(hash, signal),
      delete: (hashes) => this.delete(hashes),
      list: (options) => this.list(options),
      usage: () => this.usage(),
    };
    return { parts: { directory, logDirectory, durability, table }, owner };
  }

  async #commitShared(spooled: () => Promise<Spooled>): Promise<WriteResult> {
    this.#refuseWhenClosed();
    return this.#tracked(spooled().then((it) => this.#commit(it, undefined)));
  }

  /** A large blob that another thread has spooled; its file is removed when it cannot be opened. */
  async #takeOver(digest: Digest, path: string, checksums: Uint8Array): Promise<Spooled> {
    const { fs } = this.#parts;
    try {
      const file = await fs.open(path, 'write');
      if (file === undefined) throw new CairnError('storage', `${path} is missing`);
      return { kind: 'large', digest, file, checksums };
    } catch (error) {
      await fs.remove(path).catch(() => {});
      throw error;
    }
  }

  async #stored(hash: BlobHash, signal: AbortSignal): Promise<Digest | undefined> {
    let stopWaiting = () => {};
    try {
      return await new Promise((resolve) => {
        stopWaiting = this.#whenStored(hash, resolve);
        signal.addEventListener('abort', () => resolve(undefined), { once: true });
        if (signal.aborted) resolve(undefined);
      });
    } finally {
      stopWaiting();
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#writes]);
    await this.#parts.openFiles.close();
    await this.#parts.shutDown();
  }
}
