// Rows in memory, for servers over a store in memory, and for tests. Snapshots share the rows until the next write.

import { CairnError } from '../base/errors.js';
import { compareKeys } from './keys.js';
import type { Row, RowChange, RowCursor, RowDb, RowReader, RowSnapshot } from './row-db.js';
import type { RowBounds } from './rows.js';

const noBytes = new Uint8Array(0);

export class MemoryRowDb implements RowDb {
  /** In order of keys. Replaced by every write, so that whoever holds the rows of before may go on reading them. */
  #rows: readonly Row[] = [];
  #isClosed = false;

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.#reader(() => this.#rows).getMany(keys);
  }

  cursor(bounds: RowBounds, options?: { readonly keysOnly?: boolean }): RowCursor {
    return this.#reader(() => this.#rows).cursor(bounds, options);
  }

  snapshot(): RowSnapshot {
    const rows = this.#rows;
    return { ...this.#reader(() => rows), close: async () => {} };
  }

  async write(changes: readonly RowChange[]): Promise<void> {
    this.#refuseWhenClosed();
    const rows = [...this.#rows];
    for (const { key, value } of changes) {
      const at = indexOf(rows, key);
      const isThere = rows[at] !== undefined && compareKeys(rows[at][0], key) === 0;
      rows.splice(at, isThere ? 1 : 0, ...(value === undefined ? [] : [[key, value] as const]));
    }
    this.#rows = rows;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #reader(rowsNow: () => readonly Row[]): RowReader {
    return {
      getMany: async (keys) => {
        this.#refuseWhenClosed();
        const rows = rowsNow();
        return keys.map((key) => {
          const row = rows[indexOf(rows, key)];
          return row !== undefined && compareKeys(row[0], key) === 0 ? row[1] : undefined;
        });
      },
      cursor: ({ gte, lt }, { keysOnly = false } = {}) => {
        const rows = rowsNow();
        let next = indexOf(rows, gte);
        const end = indexOf(rows, lt);
        return {
          next: async (count) => {
            this.#refuseWhenClosed();
            const found = rows.slice(next, Math.min(end, next + count));
            next += found.length;
            return keysOnly ? found.map(([key]) => [key, noBytes] as const) : found;
          },
          close: async () => {},
        };
      },
    };
  }

  #refuseWhenClosed(): void {
    if (this.#isClosed) throw new CairnError('unavailable', 'the metadata is closed');
  }
}

/** Of the first row whose key is not less. */
function indexOf(rows: readonly Row[], key: Uint8Array): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(rows[middle]![0], key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
