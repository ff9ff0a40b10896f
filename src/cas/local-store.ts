// The blob store on this machine's disk. The log is the truth; the catalog says from memory what the log says. A write is
// spooled, then committed: a record for a small blob, a file and a record that refers to it for a large one. It is visible
// when that record is durable. A delete takes the blob out of sight, then writes its tombstone.
// A failed sync poisons the store: what the disk holds is then unknown, so it takes no more writes; reads go on.

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
import { type BlobHash, type Digest, emptyDigest, hashesEqual, toDigest } from '../base/digest.js';
import { assert, CairnError, errorCode } from '../base/errors.js';
import { Interruptible } from '../base/interruptible.js';
import { limits } from '../base/limits.js';
import { digestBlob } from '../blake3/hasher.js';
import type { Log, RecordReader } from '../log/log.js';
import type { RecordPlace } from '../log/record.js';
import { BatchWriter } from './batch-writer.js';
import { emptyHandle, LargeHandle, PackedHandle } from './blob-handles.js';
import {
  blobRecordBytes,
  decodeBlobRecord,
  largeBlobRecord,
  packedBlobRecord,
  tombstoneRecord,
  tombstoneRecordBytes,
} from './blob-records.js';
import type { BlobRow } from './blob-table.js';
import type { Catalog } from './catalog.js';
import { CommitQueue } from './commit-queue.js';
import type { LaggingFiles } from './lagging-files.js';
import type { LargeFileName, LargeFiles } from './large-files.js';
import type { Poison } from './poison.js';
import { dropSpooled, Spool, type Spooled } from './spool.js';
import { checkExpected, refuseWhenCanceled } from './write-checks.js';

export interface LocalStoreParts {
  readonly log: Log;
  readonly catalog: Catalog;
  readonly files: LargeFiles;
  readonly durability: Durability;
  readonly lagging: LaggingFiles;
  readonly poison: Poison;
  /** Stops what runs in the background and releases what the store holds, after the last write. */
  readonly shutDown: () => Promise<void>;
}

/** Why a write that is still receiving bytes was cut short: somebody else has stored the blob. */
class StoredByAnother {
  constructor(readonly digest: Digest) {}
}

export class LocalStore implements BlobStore {
  readonly commits = new CommitQueue();
  readonly #deletes = new CommitQueue();
  readonly #parts: LocalStoreParts;
  readonly #writes = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(parts: LocalStoreParts) {
    this.#parts = parts;
  }

  #refuseWhenClosed(): void {
    if (this.#closing !== undefined) throw new CairnError('unavailable', 'the store is closed');
  }

  async stat(hashes: readonly BlobHash[]): Promise<(BlobStat | undefined)[]> {
    this.#refuseWhenClosed();
    const { table } = this.#parts.catalog;
    return hashes.map((hash) => {
      const size = isEmpty(hash) ? 0 : table.sizeOf(hash);
      return size < 0 ? undefined : { size };
    });
  }

  async open(hash: BlobHash): Promise<BlobHandle | undefined> {
    for (;;) {
      this.#refuseWhenClosed();
      if (isEmpty(hash)) return emptyHandle(emptyDigest);
      const row = this.#parts.catalog.find(hash);
      if (row === undefined) return undefined;
      try {
        return await this.#openAt(hash, row);
      } catch (error) {
        // The blob may have been deleted, moved or stored again since its row was read.
        if (this.#isCurrent(hash, row)) throw error;
      }
    }
  }

  #isCurrent(hash: BlobHash, row: BlobRow): boolean {
    const now = this.#parts.catalog.find(hash);
    return now !== undefined && now.segment === row.segment && now.offset === row.offset;
  }

  async #openAt(hash: BlobHash, row: BlobRow): Promise<BlobHandle> {
    const record = await this.#parts.log.openRecord(row, blobRecordBytes(row));
    try {
      return await this.#openBlob(hash, row, record);
    } catch (error) {
      await record.close();
      throw error;
    }
  }

  async #openBlob(hash: BlobHash, row: BlobRow, record: RecordReader): Promise<BlobHandle> {
    const blob = decodeBlobRecord(record);
    if (blob === undefined || blob.kind === 'tombstone' || !hashesEqual(blob.digest.hash, hash)) {
      throw new CairnError('corrupt', `segment ${row.segment} holds another record at ${row.offset}`);
    }
    if (blob.kind === 'packed') return new PackedHandle(blob.digest, record);
    const file = await this.#parts.files.acquire({ hash, file: blob.file }, blob.digest);
    return new LargeHandle(blob.digest, this.#parts.files, file, record);
  }

  async write(source: BlobSource, options: WriteOptions = {}): Promise<WriteResult> {
    this.#refuseWhenClosed();
    this.#parts.poison.refuse();
    const writing = this.#write(source, options);
    this.#writes.add(writing);
    try {
      return await writing;
    } finally {
      this.#writes.delete(writing);
    }
  }

  async writeMany(
    blobs: readonly NamedBlob[],
    { signal }: WriteManyOptions = {},
  ): Promise<(WriteResult | CairnError)[]> {
    this.#refuseWhenClosed();
    const parts = {
      ...this.#parts,
      commits: this.commits,
      signal,
      appear: (digest: Digest, place: RecordPlace) => this.#appear(digest, place, false),
      writeOne: ({ digest, bytes }: NamedBlob) => this.#write(bytes, { expect: digest, signal }),
    };
    const writing = new BatchWriter(parts, blobs).run();
    this.#writes.add(writing);
    try {
      return await writing;
    } finally {
      this.#writes.delete(writing);
    }
  }

  async #write(source: BlobSource, { expect, signal }: WriteOptions): Promise<WriteResult> {
    refuseWhenCanceled(signal);
    if (source instanceof Uint8Array && source.length <= limits.packedBlobBytesMax) {
      return this.#commit({ kind: 'packed', digest: digestBlob(source), bytes: source }, expect);
    }
    const spool = new Spool(this.#parts.files, expect);
    try {
      if (source instanceof Uint8Array) await spool.take(source);
      else await this.#receive(source, spool, expect, signal);
      const spooled = await spool.finish();
      return await this.#commit(spooled, expect);
    } catch (error) {
      await spool.discard();
      if (!(error instanceof StoredByAnother)) throw error;
      checkExpected(expect, error.digest);
      return this.#result(error.digest, true);
    }
  }

  /** Takes in all of a source, unless it is canceled or the blob it announced is stored by somebody else first. */
  async #receive(
    source: AsyncIterable<Uint8Array>,
    spool: Spool,
    expect: Digest | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const pieces = new Interruptible(source);
    const overtaken = (stored: Digest) => pieces.interrupt(new StoredByAnother(stored));
    const stopWaiting = expect && this.commits.whenStored(expect.hash, overtaken);
    const row = expect && this.#parts.catalog.find(expect.hash);
    if (row !== undefined) overtaken(toDigest(expect!.hash, row.size));
    const cancel = () => pieces.interrupt(new CairnError('canceled', 'the write was canceled'));
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      for (let piece = await pieces.next(); piece !== undefined; piece = await pieces.next()) await spool.take(piece);
    } catch (error) {
      pieces.abandon();
      throw error;
    } finally {
      stopWaiting?.();
      signal?.removeEventListener('abort', cancel);
    }
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
      if (existed) await dropSpooled(this.#parts.files, spooled);
      return this.#result(digest, existed);
    } catch (error) {
      await dropSpooled(this.#parts.files, spooled);
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
    const deleting = allDone(hashes.map((hash) => this.#delete(hash)));
    this.#writes.add(deleting);
    try {
      return await deleting;
    } finally {
      this.#writes.delete(deleting);
    }
  }

  async #delete(hash: BlobHash): Promise<boolean> {
    if (isEmpty(hash)) return false;
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
      if (this.#isCurrent(hash, row)) break;
      // Only compaction is beside us, and moves it.
      row = catalog.find(hash)!;
    }
    catalog.condemn(hash, row);
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
    if (name === undefined) {
      if (row.large) files.leaveBehind();
    } else if (durability === 'memory') lagging.addCondemned(name);
    else await files.condemn(name);
  }

  /** Which file a large blob's record refers to; undefined when the record is damaged, and the file then left behind. */
  async #fileOf(hash: BlobHash, row: BlobRow): Promise<LargeFileName | undefined> {
    try {
      const record = await this.#parts.log.openRecord(row, blobRecordBytes(row));
      await record.close();
      const blob = decodeBlobRecord(record);
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
    const { count, bytes } = this.#parts.catalog.table;
    return { blobs: count, bytes };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#writes]);
    await this.#parts.shutDown();
  }
}

/** Fails as the first that failed, but not before all have come to an end. */
async function allDone<T>(tasks: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(tasks);
  return Promise.all(tasks);
}

function isEmpty(hash: BlobHash): boolean {
  return hashesEqual(hash, emptyDigest.hash);
}
