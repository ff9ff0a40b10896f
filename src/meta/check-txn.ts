// The limits of the interface, the same for every engine: each calls these before it does anything, so that what one
// accepts all do. A transaction's bytes are those of its keys, range ends and values, compares and both branches taken
// together, and `kvOperationBytes` for each of them beside.

import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { compareKeys, type KeySpan, spanOf } from './keys.js';
import type { Compare, KeyRange, Operation, PageOptions, RangeOptions, ReadOptions, Txn, WatchOptions } from './kv.js';

export function checkKey(key: Uint8Array): void {
  if (key.length === 0) throw new CairnError('invalid_argument', 'a key has at least one byte');
  checkLength(key, limits.kvKeyBytesMax);
}

export function checkRange({ start, end }: KeyRange): void {
  if (end === undefined) {
    checkKey(start);
    return;
  }
  // A bound may be the key after the longest one.
  checkLength(start, limits.kvKeyBytesMax + 1);
  checkLength(end, limits.kvKeyBytesMax + 1);
  if (end.length > 0 && compareKeys(start, end) >= 0) {
    throw new CairnError('invalid_argument', 'a range ends behind its start');
  }
}

export function checkRead({ revision }: ReadOptions): void {
  if (revision !== undefined) checkRevision(revision);
}

function checkPage({ limit, after }: PageOptions): void {
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1 && limit <= limits.kvPageCountMax)) {
    throw new CairnError('invalid_argument', `a page has 1 to ${limits.kvPageCountMax} keys, not ${limit}`);
  }
  if (after !== undefined) checkKey(after);
}

export function checkRangeRead(range: KeyRange, options: RangeOptions): void {
  checkRange(range);
  checkRead(options);
  checkPage(options);
}

export function checkWatch(range: KeyRange, { from }: WatchOptions): void {
  checkRange(range);
  checkRevision(from);
}

export function checkRevision(revision: number): void {
  if (!Number.isSafeInteger(revision) || revision < 1) {
    throw new CairnError('invalid_argument', `${revision} is no revision: they are 1 and up`);
  }
}

export function checkTxn(txn: Txn): void {
  const { compares = [], success, failure = [] } = txn;
  for (const [what, list] of Object.entries({ compares, success, failure })) {
    if (list.length > limits.kvOperationsCountMax) {
      throw new CairnError('too_large', `${what} has ${list.length} members: ${limits.kvOperationsCountMax} at most`);
    }
  }
  compares.forEach(checkCompare);
  for (const branch of [success, failure]) {
    branch.forEach(checkOperation);
    checkWrites(branch);
  }
  const bytes = txnBytes(txn);
  if (bytes > limits.kvTxnBytesMax) {
    throw new CairnError('too_large', `the transaction has ${bytes} bytes: ${limits.kvTxnBytesMax} at most`);
  }
}

/** What the transaction counts for against `kvTxnBytesMax`. */
export function txnBytes({ compares = [], success, failure = [] }: Txn): number {
  let bytes = (compares.length + success.length + failure.length) * limits.kvOperationBytes;
  for (const compare of compares) bytes += compare.key.length + (compare.target === 'value' ? compare.value.length : 8);
  for (const operation of [...success, ...failure]) {
    if (operation.kind === 'put') bytes += operation.key.length + operation.value.length;
    else bytes += operation.range.start.length + (operation.range.end?.length ?? 0);
    if (operation.kind === 'range') bytes += operation.after?.length ?? 0;
  }
  return bytes;
}

function checkCompare(compare: Compare): void {
  checkKey(compare.key);
  if (compare.target !== 'value' && !(Number.isSafeInteger(compare.value) && compare.value >= 0)) {
    throw new CairnError('invalid_argument', `${compare.value} is no ${compare.target} to compare with`);
  }
}

function checkOperation(operation: Operation): void {
  if (operation.kind === 'put') checkKey(operation.key);
  else checkRange(operation.range);
  if (operation.kind === 'range') checkPage(operation);
}

/** No key is written twice: in order of their starts, each write ends before the next begins. */
function checkWrites(operations: readonly Operation[]): void {
  const spans: KeySpan[] = [];
  for (const operation of operations) {
    if (operation.kind === 'put') spans.push(spanOf({ start: operation.key }));
    else if (operation.kind === 'delete') spans.push(spanOf(operation.range));
  }
  spans.sort((a, b) => compareKeys(a.start, b.start));
  for (const [i, { start }] of spans.entries()) {
    const end = i === 0 ? start : spans[i - 1]!.end;
    if (end === undefined || compareKeys(end, start) > 0) {
      throw new CairnError('invalid_argument', 'a transaction writes no key twice');
    }
  }
}

function checkLength(key: Uint8Array, bytesMax: number): void {
  if (key.length > bytesMax) {
    throw new CairnError('too_large', `a key has ${limits.kvKeyBytesMax} bytes at most, not ${key.length}`);
  }
}
