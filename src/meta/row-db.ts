// What a metadata store needs of the ordered database under it. LevelDB is one (`level-row-db.ts`); tests bring one that
// forgets. Keys are ordered byte by byte. Methods fail with CairnErrors: `storage`, `no_space`, `corrupt`, `unavailable`.

import type { RowBounds } from './rows.js';

export type Row = readonly [key: Uint8Array, value: Uint8Array];

/** Without a value, the row is deleted if there is one. */
export interface RowChange {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** Reads on in order, one call at a time, in a state that does not change. */
export interface RowCursor {
  /** At least one row, unless there are no more, and at most so many; fewer when they are large. */
  next(count: number): Promise<Row[]>;
  close(): Promise<void>;
}

export interface RowReader {
  /** One answer for each key, in order. */
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  /** `keysOnly`: values are empty, and cost nothing. */
  cursor(bounds: RowBounds, options?: { readonly keysOnly?: boolean }): RowCursor;
}

/** The state as it was when the snapshot was taken. */
export interface RowSnapshot extends RowReader {
  close(): Promise<void>;
}

export interface RowDb extends RowReader {
  snapshot(): RowSnapshot;
  /** All of it or nothing; seen by reads when it resolves, at the latest, and durable then. */
  write(changes: readonly RowChange[]): Promise<void>;
  /** Waits for calls under way. */
  close(): Promise<void>;
}
