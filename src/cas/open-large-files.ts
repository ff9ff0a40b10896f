// Large blobs' files that are open: each is shared by its readers, and stays open for a while for the next one, so that a
// range costs one read of the disk. They are bounded in number and in memory, and close when nobody has read them for long,
// the longest unused first. A file is found by its row alone, so a deleted blob is not found here, nor one that was stored
// again; `forget` and `forgetSegment` free what belongs to it. One in use is closed when its last reader closes.

import type { BlobHandle } from '../base/blob-store.js';
import { ByteBudget } from '../base/byte-budget.js';
import type { Clock } from '../base/clock.js';
import { type BlobHash, hashKey } from '../base/digest.js';
import { limits } from '../base/limits.js';
import { LargeHandle } from './blob-handles.js';
import type { BlobRow } from './blob-table.js';
import { keptChecksumBytes, type LargeFile } from './large-file.js';

interface Entry {
  readonly key: string;
  readonly file: LargeFile;
  readonly row: BlobRow;
  /** Memory taken for it. */
  readonly bytes: number;
  readers: number;
  /** When its last reader left, by the monotonic clock. */
  idleSince: number;
}

export class OpenLargeFiles {
  readonly #clock: Clock;
  readonly #budget = new ByteBudget(limits.openLargeFilesBytesMax);
  /** Those that further readers will find, the longest unused first. */
  readonly #kept = new Map<string, Entry>();
  readonly #closing = new Set<Promise<unknown>>();
  #cancelSweep: (() => void) | undefined;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A handle on the file that this row refers to, when it is open. */
  find(hash: BlobHash, row: BlobRow): BlobHandle | undefined {
    const key = hashKey(hash);
    const entry = this.#kept.get(key);
    if (entry === undefined) return undefined;
    if (!isSamePlace(entry.row, row)) {
      this.#evict(entry);
      return undefined;
    }
    this.#kept.delete(key);
    this.#kept.set(key, entry);
    return this.#handle(entry);
  }

  /** A handle on a file that was opened; others find it if the row is still the blob's. */
  add(file: LargeFile, row: BlobRow, isCurrent: boolean): BlobHandle {
    const key = hashKey(file.digest.hash);
    const bytes = isCurrent && !this.#closed && !this.#isKept(key, row) ? this.#takeRoom(file.digest.size) : 0;
    const entry = { key, file, row, bytes, readers: 0, idleSince: 0 };
    if (bytes > 0) {
      const former = this.#kept.get(key);
      if (former !== undefined) this.#evict(former);
      file.remember();
      this.#kept.set(key, entry);
    }
    return this.#handle(entry);
  }

  /** For a blob that was deleted. Resolves, whatever comes of it, when its file is closed, if nobody reads it. */
  async forget(hash: BlobHash): Promise<void> {
    const entry = this.#kept.get(hashKey(hash));
    if (entry === undefined) return;
    this.#evict(entry);
    if (entry.readers === 0) await entry.file.close().catch(() => {});
  }

  /** For a segment that was removed, whose records may be held. */
  forgetSegment(segment: number): void {
    for (const entry of [...this.#kept.values()]) if (entry.row.segment === segment) this.#evict(entry);
  }

  /** Keeps none from now on. Resolves when those that nobody reads are closed. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelSweep?.();
    for (const entry of [...this.#kept.values()]) this.#evict(entry);
    await Promise.all(this.#closing);
  }

  #isKept(key: string, row: BlobRow): boolean {
    const entry = this.#kept.get(key);
    return entry !== undefined && isSamePlace(entry.row, row);
  }

  #handle(entry: Entry): BlobHandle {
    entry.readers++;
    return new LargeHandle(entry.file, {
      release: () => this.#release(entry),
      damaged: () => {
        if (this.#kept.get(entry.key) === entry) this.#evict(entry);
      },
    });
  }

  async #release(entry: Entry): Promise<void> {
    if (--entry.readers > 0) return;
    if (this.#kept.get(entry.key) !== entry) {
      this.#closeFile(entry);
      await entry.file.close();
      return;
    }
    entry.idleSince = this.#clock.monotonic();
    this.#cancelSweep ??= this.#clock.after(limits.openLargeFileIdleMilliseconds, () => this.#sweep());
  }

  /** The memory a file of this size may take, when it was granted, and a place for it; else 0. */
  #takeRoom(size: number): number {
    const bytes = keptChecksumBytes(size);
    while (this.#kept.size >= limits.openLargeFilesCountMax || !this.#budget.take(bytes)) {
      const idle = firstIdle(this.#kept.values());
      if (idle === undefined) return 0;
      this.#evict(idle);
    }
    return bytes;
  }

  /** Nobody finds it any more; it is closed now, or by its last reader. */
  #evict(entry: Entry): void {
    this.#kept.delete(entry.key);
    this.#budget.give(entry.bytes);
    if (entry.readers === 0) this.#closeFile(entry);
  }

  #closeFile({ file }: Entry): void {
    const forget = () => this.#closing.delete(closing);
    // It was open for reading: what goes wrong with closing it is told to who waits for it, and otherwise nobody's loss.
    const closing: Promise<unknown> = file.close().then(forget, forget);
    this.#closing.add(closing);
  }

  #sweep(): void {
    this.#cancelSweep = undefined;
    const now = this.#clock.monotonic();
    let wait = Number.POSITIVE_INFINITY;
    for (const entry of [...this.#kept.values()]) {
      if (entry.readers > 0) continue;
      const left = entry.idleSince + limits.openLargeFileIdleMilliseconds - now;
      if (left <= 0) this.#evict(entry);
      else wait = Math.min(wait, left);
    }
    if (wait < Number.POSITIVE_INFINITY) this.#cancelSweep = this.#clock.after(Math.ceil(wait), () => this.#sweep());
  }
}

function isSamePlace(one: BlobRow, other: BlobRow): boolean {
  return one.segment === other.segment && one.offset === other.offset;
}

function firstIdle(entries: Iterable<Entry>): Entry | undefined {
  for (const entry of entries) if (entry.readers === 0) return entry;
  return undefined;
}
