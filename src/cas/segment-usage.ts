// How many blobs there are, and how many bytes of each log segment still matter: the space that compaction would have to
// copy. Kept by whoever adds and removes rows, so that choosing a segment to compact needs no scan.

import { blobRecordBytes } from './blob-records.js';
import type { BlobRow } from './blob-table.js';

interface Usage {
  /** Bytes of records that rows point to. */
  blobBytes: number;
  /** Bytes of tombstones written since the store was opened; older ones count as garbage until they are met again. */
  tombstoneBytes: number;
}

export class SegmentUsage {
  /** Number of rows, and sum of their blobs' sizes. */
  blobs = 0;
  bytes = 0;
  readonly #segments = new Map<number, Usage>();

  #of(segment: number): Usage {
    let usage = this.#segments.get(segment);
    if (usage === undefined) {
      usage = { blobBytes: 0, tombstoneBytes: 0 };
      this.#segments.set(segment, usage);
    }
    return usage;
  }

  addBlob(row: BlobRow): void {
    this.blobs++;
    this.bytes += row.size;
    this.#of(row.segment).blobBytes += blobRecordBytes(row);
  }

  removeBlob(row: BlobRow): void {
    this.blobs--;
    this.bytes -= row.size;
    this.#of(row.segment).blobBytes -= blobRecordBytes(row);
  }

  /** Counts rows all at once that were counted before, all of one segment. */
  addBlobBytes(segment: number, bytes: number): void {
    this.#of(segment).blobBytes += bytes;
  }

  addTombstone(segment: number, bytes: number): void {
    this.#of(segment).tombstoneBytes += bytes;
  }

  forget(segment: number): void {
    this.#segments.delete(segment);
  }

  /** The same, without the tombstones, to go on counting from. */
  copy(): SegmentUsage {
    const copy = new SegmentUsage();
    copy.blobs = this.blobs;
    copy.bytes = this.bytes;
    for (const [segment, { blobBytes }] of this.#segments) if (blobBytes > 0) copy.addBlobBytes(segment, blobBytes);
    return copy;
  }

  segmentIds(): number[] {
    return [...this.#segments.keys()];
  }

  /** Bytes that rows point to. */
  blobBytes(segment: number): number {
    return this.#segments.get(segment)?.blobBytes ?? 0;
  }

  /** Bytes that compacting a segment would copy. */
  liveBytes(segment: number): number {
    const usage = this.#segments.get(segment);
    return usage === undefined ? 0 : usage.blobBytes + usage.tombstoneBytes;
  }

  get tombstoneBytes(): number {
    let sum = 0;
    for (const usage of this.#segments.values()) sum += usage.tombstoneBytes;
    return sum;
  }

  get totalBlobBytes(): number {
    let sum = 0;
    for (const usage of this.#segments.values()) sum += usage.blobBytes;
    return sum;
  }
}
