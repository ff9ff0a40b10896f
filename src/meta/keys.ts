// Keys and ranges of keys, and the compares that everybody needs.

import type { Compare, KeyRange, KeyValue } from './kv.js';

const encoder = new TextEncoder();

/** The UTF-8 bytes of a text. */
export function textKey(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Byte by byte; a key stands before those it begins. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

/** Every key. */
export const everyKey: KeyRange = { start: new Uint8Array(0), end: new Uint8Array(0) };

/** Every key that begins with these bytes. */
export function prefixRange(prefix: Uint8Array): KeyRange {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length -= 1;
  const end = prefix.slice(0, length);
  if (length > 0) end[length - 1]! += 1;
  return { start: prefix, end };
}

export function isInRange(key: Uint8Array, range: KeyRange): boolean {
  return isInSpan(key, spanOf(range));
}

export function isInSpan(key: Uint8Array, { start, end }: KeySpan): boolean {
  return compareKeys(key, start) >= 0 && (end === undefined || compareKeys(key, end) < 0);
}

/** The key does not exist. */
export function absent(key: Uint8Array): Compare {
  return { key, target: 'version', is: '=', value: 0 };
}

/** The key exists. */
export function present(key: Uint8Array): Compare {
  return { key, target: 'version', is: '>', value: 0 };
}

/** Nobody has written the key since it was read, as this or, when undefined, as absent. */
export function unchanged(key: Uint8Array, read: KeyValue | undefined): Compare {
  return { key, target: 'revision', is: '=', value: read?.revision ?? 0 };
}

/** The first key after this one. */
export function nextKey(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** A range as its bounds alone: without `end` there is none. */
export interface KeySpan {
  readonly start: Uint8Array;
  readonly end: Uint8Array | undefined;
}

/** What of the range lies behind `after`, if that is given. May be empty. */
export function spanOf({ start, end }: KeyRange, after?: Uint8Array): KeySpan {
  const bound = end === undefined ? nextKey(start) : end.length === 0 ? undefined : end;
  const isBehind = after !== undefined && compareKeys(after, start) >= 0;
  return { start: isBehind ? nextKey(after) : start, end: bound };
}

/** A key as a string, a character for each byte, for a Map or Set of many. */
export function keyName(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}

/** Where accounts are kept, with hashes of passwords and a signing key. Those stay where they were made. */
export const accountsPrefix: Uint8Array = textKey('auth/');

/** Whether a key belongs to the accounts. */
export function isOfAccounts(key: Uint8Array): boolean {
  return compareKeys(key.subarray(0, accountsPrefix.length), accountsPrefix) === 0;
}
