// Gets back the space of dead records. A sealed segment of which too much is dead is compacted: what still matters is
// appended again, the rows follow, and the segment is removed. What matters is
//   - a blob record that a row points to;
//   - a tombstone, as long as an older segment may hold a record it kills: so it is dropped from the oldest segment
//     alone, or when its blob has been stored again since, and carried forward otherwise. When tombstones have become a
//     quarter of all live bytes, the oldest segment is compacted whatever it holds, so that they cannot pile up.
// A record is looked at and queued in one step, so its place in the log is right whatever happens beside it.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BlobHash } from '../base/digest.js';
import { errorCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Log } from '../log/log.js';
import type { NewRecord, RecordPlace, ScannedRecord } from '../log/record.js';
import type { SegmentInfo } from '../log/segment.js';
import {
  type BlobRecord,
  decodeBlobRecord,
  largeBlobRecord,
  packedBlobRecord,
  tombstoneRecord,
  tombstoneRecordBytes,
} from './blob-records.js';
import type { Catalog } from './catalog.js';
import type { CommitQueue } from './commit-queue.js';

/** A segment is worth compacting when more than this part of it is dead. */
const deadPartMin = 0.5;
/** Tombstones may be this part of the live bytes before the oldest segment is compacted for their sake. */
const tombstonePartMax = 0.25;

type PlacedBlob = Exclude<BlobRecord, { kind: 'tombstone' }>;

export interface CompactorParts {
  readonly log: Log;
  readonly catalog: Catalog;
  readonly commits: CommitQueue;
}

export class Compactor {
  readonly #parts: CompactorParts;
  /** Segments that hold damage next to what matters, or cannot be read; left as they are until the next start. */
  readonly #damaged = new Set<number>();
  #looked = 0;
  #stopped = false;

  constructor(parts: CompactorParts) {
    this.#parts = parts;
  }

  /** Lets the record under way finish and begins no other. */
  stop(): void {
    this.#stopped = true;
  }

  /** Compacts the segment that gains most, if one is worth it; answers which. */
  async compactOne(): Promise<number | undefined> {
    const segment = this.#choose();
    if (segment === undefined || this.#stopped) return undefined;
    return (await this.compact(segment.id)) ? segment.id : undefined;
  }

  #choose(): SegmentInfo | undefined {
    const { usage } = this.#parts.catalog;
    const segments = this.#parts.log.segments();
    const sealed = segments.filter(({ id, sealed }) => sealed && !this.#damaged.has(id));
    const dead = ({ id, bytes }: SegmentInfo) => 1 - usage.liveBytes(id) / bytes;
    const best = sealed.reduce<SegmentInfo | undefined>(
      (best, candidate) => (best === undefined || dead(candidate) > dead(best) ? candidate : best),
      undefined,
    );
    if (best !== undefined && dead(best) > deadPartMin) return best;
    const tooManyTombstones = usage.tombstoneBytes > tombstonePartMax * usage.totalBlobBytes;
    // From any other they would only be moved.
    return tooManyTombstones && sealed[0] === segments[0] ? sealed[0] : undefined;
  }

  /**
   * Moves what matters out of a sealed segment and removes it; false when damage, a full disk, a failed delete or
   * `stop` prevented that.
   */
  async compact(segment: number): Promise<boolean> {
    const { log, catalog } = this.#parts;
    await catalog.flush();
    const appends = new AppendWindow();
    try {
      const report = await log.scan(segment, async (record) => {
        if (!this.#stopped) await this.#move(record, appends);
      });
      await appends.settle();
      if (report.damagedBytes > 0 && catalog.usage.blobBytes(segment) > 0) this.#damaged.add(segment);
    } catch (error) {
      await appends.settle().catch(() => {});
      const code = errorCode(error);
      if (code === 'corrupt' || code === 'storage') this.#damaged.add(segment);
      if (code !== 'corrupt' && code !== 'no_space') throw error;
      return false;
    }
    if (this.#stopped || this.#damaged.has(segment)) return false;
    // In `memory` durability the copies are only written yet.
    await catalog.makeDurable();
    // Rows of blobs whose delete was under way may be back, or come back: their records were passed over.
    if (catalog.hasRowsIn(segment)) return false;
    await log.remove(segment);
    catalog.usage.forget(segment);
    return true;
  }

  async #move(record: ScannedRecord, appends: AppendWindow): Promise<void> {
    // Where there is nothing to move, nothing else would let others have their turn.
    if (++this.#looked % limits.compactionStepRecordsMax === 0) await nextTurn();
    await appends.room();
    await this.#parts.log.waitForRoom();
    const blob = decodeBlobRecord(record);
    if (blob?.kind === 'tombstone') await this.#moveTombstone(record, blob.hash, appends);
    else if (blob !== undefined) await this.#moveBlob(record, blob, appends);
  }

  async #moveBlob(record: ScannedRecord, blob: PlacedBlob, appends: AppendWindow): Promise<void> {
    const { log, catalog } = this.#parts;
    const { hash } = blob.digest;
    if (!this.#pointsTo(hash, record.place)) return;
    const copy = await this.#readCopy(record, blob);
    if (!this.#pointsTo(hash, record.place)) return;
    appends.add(
      log.append(copy, (place) => {
        // Deleted, or deleted and stored again, while the copy was under way: then the copy is dead, here and in a replay.
        if (!this.#pointsTo(hash, record.place)) return;
        const { size } = blob.digest;
        catalog.place(hash, { size, segment: place.segment, offset: place.offset, large: blob.kind === 'large' });
      }),
    );
  }

  #pointsTo(hash: BlobHash, place: RecordPlace): boolean {
    const row = this.#parts.catalog.find(hash);
    return row !== undefined && row.segment === place.segment && row.offset === place.offset;
  }

  async #readCopy(record: ScannedRecord, blob: PlacedBlob): Promise<NewRecord> {
    const reader = await this.#parts.log.openRecord(record.place, record.place.length);
    try {
      const payload = await reader.read({ start: 0, end: record.payloadBytes });
      return blob.kind === 'packed'
        ? packedBlobRecord(blob.digest.hash, payload)
        : largeBlobRecord(blob.digest, blob.file, false, payload);
    } finally {
      await reader.close();
    }
  }

  async #moveTombstone(record: ScannedRecord, hash: BlobHash, appends: AppendWindow): Promise<void> {
    const { log, catalog, commits } = this.#parts;
    // A record of the blob that is on its way into the log would be killed by a tombstone behind it.
    for (let settled = commits.settled(hash); settled !== undefined; settled = commits.settled(hash)) await settled;
    if (catalog.has(hash) || log.segments()[0]?.id === record.place.segment) return;
    appends.add(
      log.append(tombstoneRecord(hash), (place) => catalog.usage.addTombstone(place.segment, tombstoneRecordBytes())),
    );
  }
}

/** Appends under way, bounded in number. */
class AppendWindow {
  #pending: Promise<void>[] = [];

  add(append: Promise<void>): void {
    // Marked as handled: `room` or `settle` reports the failure.
    append.catch(() => {});
    this.#pending.push(append);
  }

  async room(): Promise<void> {
    if (this.#pending.length >= limits.compactionAppendsMax) await this.settle();
  }

  /** Resolves when all are durable, or fails as the first that failed. */
  async settle(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    await Promise.all(pending);
  }
}
