// Reads of one state of the rows: the present one by the keys' heads, an earlier one by their versions.

import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { compareKeys, type KeySpan, spanOf } from './keys.js';
import type { KeyRange, KeyValue, Page, PageOptions } from './kv.js';
import { PageBuilder } from './page-builder.js';
import type { PresentKey } from './perform-txn.js';
import type { Row, RowReader } from './row-db.js';
import {
  decodeHead,
  decodeVersion,
  headBounds,
  headKey,
  type KeyHead,
  keyOfHead,
  keyOfVersion,
  type RowBounds,
  versionBounds,
  versionKey,
  versionsUpTo,
} from './rows.js';

const noBytes = new Uint8Array(0);

/** One answer for each key, in order. */
export async function readHeads(reader: RowReader, keys: readonly Uint8Array[]): Promise<(KeyHead | undefined)[]> {
  if (keys.length === 0) return [];
  const rowKeys = keys.map(headKey);
  const rows = await reader.getMany(rowKeys);
  return rows.map((row, i) => row && decodeHead(rowKeys[i]!, row));
}

/** The values of those keys, in order. `corrupt` when one is not there: the heads must be of the reader's own state. */
export async function readValues(reader: RowReader, keys: readonly PresentKey[]): Promise<Uint8Array[]> {
  if (keys.length === 0) return [];
  const rowKeys = keys.map(({ key, head }) => versionKey(key, head.revision));
  const rows = await reader.getMany(rowKeys);
  return rows.map((row, i) => {
    if (row === undefined) throw new CairnError('corrupt', 'the metadata lacks the value of a key');
    return decodeVersion(rowKeys[i]!, row).value;
  });
}

/** The key as it is now. Reads again when its value was overwritten, and swept away, behind the look at its head. */
export async function readKey(reader: RowReader, key: Uint8Array): Promise<KeyValue | undefined> {
  for (;;) {
    const [head] = await readHeads(reader, [key]);
    if (head === undefined) return undefined;
    const rowKey = versionKey(key, head.revision);
    const [row] = await reader.getMany([rowKey]);
    if (row !== undefined) return { key, value: decodeVersion(rowKey, row).value, ...head };
  }
}

export async function readKeyAt(reader: RowReader, key: Uint8Array, revision: number): Promise<KeyValue | undefined> {
  const cursor = reader.cursor(versionsUpTo(key, revision));
  try {
    const [row] = await cursor.next(1);
    return row && keyValueOf(row);
  } finally {
    await cursor.close();
  }
}

/** The reader must be a snapshot, or nobody may write meanwhile. */
export async function readPage(reader: RowReader, range: KeyRange, options: PageOptions): Promise<Page> {
  const { limit = limits.kvPageCountMax, after, keysOnly = false } = options;
  const found = await presentKeys(reader, spanOf(range, after), limit + 1);
  const page = new PageBuilder(limit);
  for (let i = 0; i < found.length && !page.hasMore; i += limits.kvValuesReadCountMax) {
    const step = found.slice(i, i + limits.kvValuesReadCountMax);
    const values = keysOnly ? [] : await readValues(reader, step);
    for (const [k, { key, head }] of step.entries()) {
      page.add({ key, value: values[k] ?? noBytes, ...head });
    }
  }
  return page.end();
}

export async function readPageAt(
  reader: RowReader,
  range: KeyRange,
  revision: number,
  options: PageOptions,
): Promise<Page> {
  const { limit = limits.kvPageCountMax, after, keysOnly = false } = options;
  const page = new PageBuilder(limit);
  for await (const item of itemsAt(reader, spanOf(range, after), revision)) {
    page.add(keysOnly ? { ...item, value: noBytes } : item);
    if (page.hasMore) break;
  }
  return page.end();
}

export async function countKeys(reader: RowReader, range: KeyRange): Promise<number> {
  let count = 0;
  for await (const rows of rowsIn(reader, headBounds(spanOf(range)), true)) count += rows.length;
  return count;
}

export async function countKeysAt(reader: RowReader, range: KeyRange, revision: number): Promise<number> {
  let count = 0;
  for await (const _item of itemsAt(reader, spanOf(range), revision)) count += 1;
  return count;
}

/** The first so many keys that are there now. */
export async function presentKeys(reader: RowReader, span: KeySpan, countMax: number): Promise<PresentKey[]> {
  const found: PresentKey[] = [];
  for await (const rows of rowsIn(reader, headBounds(span), false)) {
    for (const [rowKey, row] of rows) found.push({ key: keyOfHead(rowKey), head: decodeHead(rowKey, row) });
    if (found.length >= countMax) break;
  }
  return found.slice(0, countMax);
}

/** Batches of rows, as the cursor brings them. */
export async function* rowsIn(reader: RowReader, bounds: RowBounds, keysOnly: boolean): AsyncGenerator<Row[]> {
  if (compareKeys(bounds.gte, bounds.lt) >= 0) return;
  const cursor = reader.cursor(bounds, { keysOnly });
  try {
    for (;;) {
      const rows = await cursor.next(limits.indexStepRowsMax);
      if (rows.length === 0) return;
      yield rows;
    }
  } finally {
    await cursor.close();
  }
}

/** Of each key the newest version up to the revision, unless that is its deletion. */
async function* itemsAt(reader: RowReader, span: KeySpan, revision: number): AsyncGenerator<KeyValue> {
  let decided: Uint8Array | undefined;
  for await (const rows of rowsIn(reader, versionBounds(span), false)) {
    for (const row of rows) {
      const version = keyOfVersion(row[0]);
      if (version.revision > revision) continue;
      if (decided !== undefined && compareKeys(decided, version.key) === 0) continue;
      decided = version.key;
      const item = keyValueOf(row);
      if (item !== undefined) yield item;
    }
  }
}

function keyValueOf([rowKey, row]: Row): KeyValue | undefined {
  const { key, revision } = keyOfVersion(rowKey);
  const { deleted, createRevision, version, value } = decodeVersion(rowKey, row);
  return deleted ? undefined : { key, value, createRevision, revision, version };
}
