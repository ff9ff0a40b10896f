// What a table is saved from, in the hands of a test.

import type { BlobTable } from '../../src/cas/blob-table.js';
import type { TableSource } from '../../src/cas/table-file.js';
import type { LogPosition } from '../../src/log/record.js';

/** A table that has all rows and hides none, with an index that is up to date, but for what is given. */
export function tableSource(table: BlobTable, position: LogPosition, given: Partial<TableSource> = {}): TableSource {
  return {
    table,
    filter: undefined,
    isComplete: true,
    position,
    closing: () => ({ indexedTo: position, hidden: [] }),
    indexed: async () => {},
    isStopped: () => false,
    ...given,
  };
}
