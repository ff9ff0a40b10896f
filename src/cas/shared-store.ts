// A local store in a thread that does not own it. Where blobs are it reads from the owner's table, and their bytes from the
// store's files, without asking; it hashes and spools what is written. The owner commits, deletes, lists, and answers where
// the table does not tell. Whoever asks through it sees what the owner has answered before, whichever thread was asked.

import type {
  BlobHandle,
  BlobSource,
  BlobStat,
  BlobStore,
  ListOptions,
  NamedBlob,
  StoreUsage,
  WriteManyOptions,
  WriteOptions,
  WriteResult,
} from '../base/blob-store.js';
import type { Clock } from '../base/clock.js';
import { type BlobHash, type Digest, emptyDigest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { refuseWhenCanceled } from '../base/interruptible.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import { digestBlob } from '../blake3/hasher.js';
import type { FileSystem } from '../log/file-system.js';
import { SegmentFiles } from '../log/segment-files.js';
import type { BlobRow } from './blob-table.js';
import { GatheredCommits } from './gathered-commits.js';
import { openSharedLargeFile } from './large-files.js';
import { type BlobPlaces, isEmptyBlob, openBlob } from './open-blob.js';
import { OpenLargeFiles } from './open-large-files.js';
import { dropSpooled, type Spooled } from './spool.js';
import type { SharedChange, SharedParts, StoreOwner } from './store-owner.js';
import { TableView } from './table-view.js';
import { TemporaryFiles } from './temporary-files.js';
import { checkExpected } from './write-checks.js';
import { type Committer, writeSource } from './write-source.js';

export interface SharedStoreParts {
  readonly shared: SharedParts;
  readonly owner: StoreOwner;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
}

export class SharedStore implements BlobStore {
  readonly #parts: SharedStoreParts;
  readonly #view: TableView;
  readonly #segments: SegmentFiles;
  readonly #openFiles: OpenLargeFiles;
  readonly #temporary: TemporaryFiles;
  readonly #places: BlobPlaces;
  readonly #committer: Committer;
  readonly #smallCommits: GatheredCommits;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(parts: SharedStoreParts) {
    const { shared, owner, fs, clock, random } = parts;
    this.#parts = parts;
    this.#view = new TableView(shared.table);
    this.#segments = new SegmentFiles(fs, shared.logDirectory);
    this.#openFiles = new OpenLargeFiles(clock);
    this.#temporary = new TemporaryFiles(fs, random, shared.directory);
    this.#places = {
      find: (hash) => this.#find(hash),
      openRecord: (at, lengthHint) => this.#segments.openRecord(at, lengthHint),
      openRecordNow: (at, lengthHint) => this.#segments.openRecordNow(at, lengthHint),
      openLarge: (name, digest) => openSharedLargeFile(fs, shared.directory, name, digest),
      closeLarge: (file) => file.close(),
      openFiles: this.#openFiles,
    };
    this.#smallCommits = new GatheredCommits(owner);
    this.#committer = {
      durability: shared.durability,
      commit: (spooled, expect) => this.#commit(spooled, expect),
      whenStored: (hash, callback) => {
        let stop: AbortController | undefined;
        // Most senders are done before it would be worth the question.
        const cancel = clock.after(limits.sharedStoredQuestionMilliseconds, () => {
          stop = new AbortController();
          const { signal } = stop;
          // Whoever cannot be told waits for the sender instead.
          owner.stored(hash, signal).then(
            (stored) => stored && !signal.aborted && callback(stored),
            () => {},
          );
        });
        return () => {
          cancel();
          stop?.abort();
        };
      },
      existed: (digest) => ({ digest, existed: true, durability: shared.durability }),
    };
  }

  /** To be told of every change that the owner reports. */
  changed(change: SharedChange): void {
    switch (change.kind) {
      case 'moved':
        this.#view.moved(change.shard, change.to);
        break;
      case 'segment-removed':
        this.#openFiles.forgetSegment(change.segment);
        this.#segments.forget(change.segment);
        break;
      case 'large-blob-removed':
        // Whether its file can be closed is nothing to wait for here.
        this.#openFiles.forget(change.hash).catch(() => {});
    }
  }

  #refuseWhenClosed(): void {
    if (this.#closing !== undefined) throw new CairnError('unavailable', 'the store is closed');
  }

  #find(hash: BlobHash): BlobRow | undefined | Promise<BlobRow | undefined> {
    this.#refuseWhenClosed();
    const row = this.#view.find(hash);
    return row === 'unknown' ? this.#parts.owner.find([hash]).then(([found]) => found) : row;
  }

  async stat(hashes: readonly BlobHash[]): Promise<(BlobStat | undefined)[]> {
    this.#refuseWhenClosed();
    const unknown: number[] = [];
    const stats = this.#view.sizesOf(hashes).map((size, index): BlobStat | undefined => {
      if (typeof size === 'number') return { size };
      if (size === 'unknown') unknown.push(index);
      return size === undefined && isEmptyBlob(hashes[index]!) ? { size: 0 } : undefined;
    });
    if (unknown.length === 0) return stats;
    const rows = await this.#parts.owner.find(unknown.map((index) => hashes[index]!));
    for (const [i, row] of rows.entries()) {
      const index = unknown[i]!;
      stats[index] = row === undefined ? (isEmptyBlob(hashes[index]!) ? { size: 0 } : undefined) : { size: row.size };
    }
    return stats;
  }

  open(hash: BlobHash): Promise<BlobHandle | undefined> {
    return openBlob(this.#places, hash);
  }

  async write(source: BlobSource, options: WriteOptions = {}): Promise<WriteResult> {
    this.#refuseWhenClosed();
    return this.#tracked(writeSource(this.#committer, this.#temporary, source, options));
  }

  async #commit(spooled: Spooled, expect: Digest | undefined): Promise<WriteResult> {
    const { owner } = this.#parts;
    const { digest } = spooled;
    try {
      checkExpected(expect, digest);
      if (digest.size === 0) return this.#committer.existed(emptyDigest);
      if (spooled.kind === 'packed') return await this.#smallCommits.commit({ digest, bytes: spooled.bytes });
      await spooled.file.close();
    } catch (error) {
      await dropSpooled(this.#temporary, spooled);
      throw error;
    }
    // From here on the file is the owner's, whatever becomes of it.
    return owner.commitLarge(digest, spooled.file.path, spooled.checksums);
  }

  async writeMany(blobs: readonly NamedBlob[], options: WriteManyOptions = {}): Promise<(WriteResult | CairnError)[]> {
    this.#refuseWhenClosed();
    const refused = blobs.map((blob) => refusalOf(blob, options.signal));
    const good = blobs.filter((_blob, index) => refused[index] === undefined);
    const answers = good.length === 0 ? [] : await this.#tracked(this.#parts.owner.commitMany(good, options));
    let next = 0;
    return refused.map((refusal) => refusal ?? answers[next++]!);
  }

  async delete(hashes: readonly BlobHash[]): Promise<boolean[]> {
    this.#refuseWhenClosed();
    return this.#tracked(this.#parts.owner.delete(hashes));
  }

  async list(options: ListOptions): Promise<Digest[]> {
    this.#refuseWhenClosed();
    return this.#parts.owner.list(options);
  }

  async usage(): Promise<StoreUsage> {
    this.#refuseWhenClosed();
    return this.#parts.owner.usage();
  }

  async #tracked<T>(writing: Promise<T>): Promise<T> {
    this.#underWay.add(writing);
    try {
      return await writing;
    } finally {
      this.#underWay.delete(writing);
    }
  }

  /** Waits for writes under way. The owner's store stays open. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#underWay]);
    await this.#openFiles.close();
    this.#segments.close();
  }
}

function refusalOf({ digest, bytes }: NamedBlob, signal: AbortSignal | undefined): CairnError | undefined {
  try {
    refuseWhenCanceled(signal);
    checkExpected(digest, digestBlob(bytes));
    return undefined;
  } catch (error) {
    if (error instanceof CairnError) return error;
    throw error;
  }
}
