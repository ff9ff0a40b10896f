// An `IndexDb` in memory that remembers its batches, so that a crash can take back the last of them: what LevelDB may do.

import { type BlobHash, hashHex } from '../../src/base/digest.js';
import { assert, CairnError } from '../../src/base/errors.js';
import type { BlobRow } from '../../src/cas/blob-table.js';
import type { IndexChange, IndexDb, IndexEntry } from '../../src/cas/index-db.js';
import { SegmentUsage } from '../../src/cas/segment-usage.js';
import type { LogPosition } from '../../src/log/record.js';
import type { SeededRandom } from './random.js';

interface Batch {
  readonly changes: readonly IndexChange[];
  readonly position: LogPosition | undefined;
}

const entriesPerBatch = 100;

export class MemoryIndex implements IndexDb {
  readonly #batches: Batch[] = [];
  readonly #rows = new Map<string, IndexEntry>();
  #applying = false;
  #closed = false;

  /** What is there after the power failed: all batches, or all but some of the last. This index is of no use afterwards. */
  crash(random: SeededRandom): MemoryIndex {
    const kept = random.chance(0.5) ? this.#batches.length : random.between(0, this.#batches.length);
    return this.reopen(kept);
  }

  /** The first so many batches, by default all, as the next process finds them. */
  reopen(batches = this.#batches.length): MemoryIndex {
    this.#closed = true;
    const next = new MemoryIndex();
    for (const batch of this.#batches.slice(0, batches)) next.#commit(batch);
    return next;
  }

  get batchCount(): number {
    return this.#batches.length;
  }

  async position(): Promise<LogPosition | undefined> {
    this.#refuseWhenClosed();
    return this.#batches.at(-1)?.position;
  }

  async apply(changes: readonly IndexChange[], position: LogPosition | undefined): Promise<void> {
    this.#refuseWhenClosed();
    assert(!this.#applying, 'batches are applied one at a time');
    this.#applying = true;
    const batch = { changes: [...changes], position };
    await Promise.resolve();
    this.#applying = false;
    this.#refuseWhenClosed();
    this.#commit(batch);
  }

  async usage(): Promise<SegmentUsage> {
    this.#refuseWhenClosed();
    const usage = new SegmentUsage();
    for (const { row } of this.#rows.values()) usage.addBlob(row);
    return usage;
  }

  async rows(hashes: readonly BlobHash[]): Promise<(BlobRow | undefined)[]> {
    this.#refuseWhenClosed();
    await Promise.resolve();
    return hashes.map((hash) => this.rowNow(hash));
  }

  rowNow(hash: BlobHash): BlobRow | undefined {
    this.#refuseWhenClosed();
    return this.#rows.get(hashHex(hash))?.row;
  }

  async *entries(): AsyncIterable<readonly IndexEntry[]> {
    this.#refuseWhenClosed();
    const all = this.#sorted();
    for (let i = 0; i < all.length; i += entriesPerBatch) {
      yield all.slice(i, i + entriesPerBatch);
      this.#refuseWhenClosed();
    }
  }

  async list(after: BlobHash | undefined, limit: number): Promise<IndexEntry[]> {
    this.#refuseWhenClosed();
    const from = after === undefined ? '' : hashHex(after);
    return this.#sorted()
      .filter(({ hash }) => hashHex(hash) > from)
      .slice(0, limit);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #commit(batch: Batch): void {
    this.#batches.push(batch);
    for (const { hash, row } of batch.changes) {
      if (row === undefined) this.#rows.delete(hashHex(hash));
      else this.#rows.set(hashHex(hash), { hash, row });
    }
  }

  #sorted(): IndexEntry[] {
    return [...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new CairnError('unavailable', 'the index is closed');
  }
}
