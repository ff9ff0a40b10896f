// The persistent index hash → row that follows the log. It is derived: losing it, or any number of its last batches, costs
// a replay of the log and never a blob. It says itself up to where it has followed; who opens the store replays from there.

import type { BlobHash } from '../base/digest.js';
import type { LogPosition } from '../log/record.js';
import type { BlobRow } from './blob-table.js';
import type { SegmentUsage } from './segment-usage.js';

export interface IndexEntry {
  readonly hash: BlobHash;
  readonly row: BlobRow;
}

/** Puts a row; without one, deletes the hash's row if there is any. */
export interface IndexChange {
  readonly hash: BlobHash;
  readonly row: BlobRow | undefined;
}

/** Methods fail with `corrupt` when the index cannot be trusted: the caller deletes it and builds it anew. */
export interface IndexDb {
  /** What the last batch carried; undefined when it carried none, or nothing was ever applied. */
  position(): Promise<LogPosition | undefined>;
  /**
   * All of it, durably, or nothing; later changes of the same hash win. One call at a time. The position says that the
   * index now holds all the log says before it; batches of a rebuild carry none until the last.
   */
  apply(changes: readonly IndexChange[], position: LogPosition | undefined): Promise<void>;
  /** What the rows sum up to; the caller's own. */
  usage(): Promise<SegmentUsage>;
  /** One answer for each hash, in order, as of some moment during the call. */
  rows(hashes: readonly BlobHash[]): Promise<(BlobRow | undefined)[]>;
  /** The row now, at the price of a look at the disk in this turn of the event loop. */
  rowNow(hash: BlobHash): BlobRow | undefined;
  /** Every row as of the call, in batches, ascending by hash. Rows that got lost show as `corrupt` at the end at the latest. */
  entries(): AsyncIterable<readonly IndexEntry[]>;
  /** Up to so many rows with a hash greater than `after`, ascending by hash; fewer mean the end. */
  list(after: BlobHash | undefined, limit: number): Promise<IndexEntry[]>;
  /** Waits for calls under way; later ones fail with `unavailable`. */
  close(): Promise<void>;
}

/** Where an index lives; it can be thrown away and made anew. */
export interface IndexHome {
  /** Makes it where there is none. `corrupt` when what is there cannot be used. */
  open(): Promise<IndexDb>;
  /** It must not be open. Absent is no error. */
  destroy(): Promise<void>;
}
