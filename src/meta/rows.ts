// Keys and values of the rows under a metadata store, byte by byte; the tables are in docs/FORMATS.md. Every present key
// has a head, found by the key alone; every put and delete has a version, by key and then by revision, the newest first;
// and every revision lists its changes in order of keys. Each value ends in a CRC-32 over its row's key and itself, because
// LevelDB does not check by default what it reads.

import { CairnError } from '../base/errors.js';
import { crc32 } from '../base/node/crc32.js';
import type { KeySpan } from './keys.js';

const changePrefix = 0x63; // c
const headPrefix = 0x68; // h
const versionPrefix = 0x76; // v

const format = 1;
const deletedFlag = 1;

/** What stands at the front of each kind of row: format, flags, and three numbers of which some kinds use fewer. */
const fieldsBytes = 26;
const checksumBytes = 4;
const revisionBytes = 8;
const changeKeyBytes = 13;
const revisionEnd = 2n ** 64n - 1n;

/** Rows from `gte`, included, to `lt`, excluded. */
export interface RowBounds {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
}

/** Where a present key stands. */
export interface KeyHead {
  readonly createRevision: number;
  readonly revision: number;
  readonly version: number;
}

/** What a put or delete left behind. Of a delete only `deleted` counts. */
export interface KeyVersion {
  readonly deleted: boolean;
  readonly createRevision: number;
  readonly version: number;
  readonly value: Uint8Array;
}

/** One put or delete, as its revision lists it. */
export interface KeyChange {
  readonly deleted: boolean;
  /** Revision of the put that this took the place of; 0 when there was no such key. */
  readonly previous: number;
  readonly key: Uint8Array;
}

export interface StateRow {
  readonly revision: number;
  /** Revisions before it cannot be read. */
  readonly compacted: number;
  /** Index of the last entry that was applied. */
  readonly appliedIndex: number;
}

export const formatKey: Uint8Array = Buffer.from('m/format');
export const formatValue: Uint8Array = Buffer.from('cairn metadata 1');
export const stateKey: Uint8Array = Buffer.from('m/state');
export const sweptKey: Uint8Array = Buffer.from('m/swept');

export function headKey(key: Uint8Array): Uint8Array {
  return prefixed(headPrefix, key);
}

export function keyOfHead(rowKey: Uint8Array): Uint8Array {
  return rowKey.slice(1);
}

export function headBounds({ start, end }: KeySpan): RowBounds {
  return { gte: prefixed(headPrefix, start), lt: end ? prefixed(headPrefix, end) : Uint8Array.of(headPrefix + 1) };
}

/** The key with its zeros marked, two zeros, and what is left to the last revision: so newer versions come first. */
export function versionKey(key: Uint8Array, revision: number): Uint8Array {
  const escaped = escapedKey(key);
  const rowKey = Buffer.alloc(escaped.length + 2 + revisionBytes);
  rowKey.set(escaped);
  rowKey.writeBigUInt64BE(revisionEnd - BigInt(revision), escaped.length + 2);
  return rowKey;
}

export function keyOfVersion(rowKey: Uint8Array): { key: Uint8Array; revision: number } {
  const end = rowKey.length - revisionBytes - 2;
  if (end < 1) throw damaged('key');
  const key = new Uint8Array(end - 1);
  let length = 0;
  for (let i = 1; i < end; i++) {
    key[length++] = rowKey[i]!;
    if (rowKey[i] === 0) i += 1;
  }
  return { key: key.subarray(0, length), revision: Number(revisionEnd - asBuffer(rowKey).readBigUInt64BE(end + 2)) };
}

export function versionBounds({ start, end }: KeySpan): RowBounds {
  return { gte: escapedKey(start), lt: end ? escapedKey(end) : Uint8Array.of(versionPrefix + 1) };
}

/** The key's versions of this revision and before. */
export function versionsUpTo(key: Uint8Array, revision: number): RowBounds {
  // No revision is 0, so this bound lies behind them all.
  return { gte: versionKey(key, revision), lt: versionKey(key, 0) };
}

export function changeKey(revision: number, index: number): Uint8Array {
  const rowKey = Buffer.alloc(changeKeyBytes);
  rowKey[0] = changePrefix;
  rowKey.writeBigUInt64BE(BigInt(revision), 1);
  rowKey.writeUInt32BE(index, 1 + revisionBytes);
  return rowKey;
}

export function revisionOfChange(rowKey: Uint8Array): number {
  if (rowKey.length !== changeKeyBytes) throw damaged('key');
  return Number(asBuffer(rowKey).readBigUInt64BE(1));
}

/** The changes of revisions from the first, included, to the second, excluded. */
export function changeBounds(from: number, to: number): RowBounds {
  return { gte: changeKey(from, 0), lt: changeKey(to, 0) };
}

export function encodeHead(rowKey: Uint8Array, head: KeyHead): Uint8Array {
  return encode(rowKey, { a: head.createRevision, b: head.revision, c: head.version });
}

export function decodeHead(rowKey: Uint8Array, row: Uint8Array): KeyHead {
  const { a, b, c } = decode(rowKey, row);
  return { createRevision: a, revision: b, version: c };
}

export function encodeVersion(rowKey: Uint8Array, { deleted, createRevision, version, value }: KeyVersion): Uint8Array {
  return encode(rowKey, { deleted, a: createRevision, b: version, tail: value });
}

export function decodeVersion(rowKey: Uint8Array, row: Uint8Array): KeyVersion {
  const { deleted, a, b, tail } = decode(rowKey, row);
  return { deleted, createRevision: a, version: b, value: tail };
}

export function encodeChange(rowKey: Uint8Array, { deleted, previous, key }: KeyChange): Uint8Array {
  return encode(rowKey, { deleted, a: previous, tail: key });
}

export function decodeChange(rowKey: Uint8Array, row: Uint8Array): KeyChange {
  const { deleted, a, tail } = decode(rowKey, row);
  return { deleted, previous: a, key: tail };
}

export function encodeState({ revision, compacted, appliedIndex }: StateRow): Uint8Array {
  return encode(stateKey, { a: revision, b: compacted, c: appliedIndex });
}

export function decodeState(row: Uint8Array): StateRow {
  const { a, b, c } = decode(stateKey, row);
  return { revision: a, compacted: b, appliedIndex: c };
}

/** The last revision whose superseded versions have been removed. */
export function encodeSwept(revision: number): Uint8Array {
  return encode(sweptKey, { a: revision });
}

export function decodeSwept(row: Uint8Array): number {
  return decode(sweptKey, row).a;
}

interface Fields {
  readonly deleted?: boolean;
  readonly a?: number;
  readonly b?: number;
  readonly c?: number;
  readonly tail?: Uint8Array;
}

const noBytes = new Uint8Array(0);

function encode(rowKey: Uint8Array, { deleted = false, a = 0, b = 0, c = 0, tail = noBytes }: Fields): Uint8Array {
  const row = Buffer.allocUnsafe(fieldsBytes + tail.length + checksumBytes);
  row[0] = format;
  row[1] = deleted ? deletedFlag : 0;
  row.writeBigUInt64LE(BigInt(a), 2);
  row.writeBigUInt64LE(BigInt(b), 10);
  row.writeBigUInt64LE(BigInt(c), 18);
  row.set(tail, fieldsBytes);
  const end = row.length - checksumBytes;
  row.writeUInt32LE(crc32(row.subarray(0, end), crc32(rowKey)), end);
  return row;
}

/** `corrupt` unless the bytes are those that `encode` made for this key. */
function decode(rowKey: Uint8Array, row: Uint8Array): Required<Fields> {
  const bytes = asBuffer(row);
  const end = bytes.length - checksumBytes;
  if (end < fieldsBytes || bytes.readUInt32LE(end) !== crc32(bytes.subarray(0, end), crc32(rowKey))) {
    throw damaged('row');
  }
  if (bytes[0] !== format) throw new CairnError('corrupt', `the metadata holds a row of format ${bytes[0]}`);
  return {
    deleted: (bytes[1]! & deletedFlag) !== 0,
    a: Number(bytes.readBigUInt64LE(2)),
    b: Number(bytes.readBigUInt64LE(10)),
    c: Number(bytes.readBigUInt64LE(18)),
    tail: row.slice(fieldsBytes, end),
  };
}

/** The prefix of versions, then the key with 0xff behind each zero: it sorts like the key, and two zeros end it. */
function escapedKey(key: Uint8Array): Uint8Array {
  if (!key.includes(0)) return prefixed(versionPrefix, key);
  const escaped: number[] = [versionPrefix];
  for (const byte of key) {
    escaped.push(byte);
    if (byte === 0) escaped.push(0xff);
  }
  return Uint8Array.from(escaped);
}

function prefixed(prefix: number, key: Uint8Array): Uint8Array {
  const rowKey = new Uint8Array(1 + key.length);
  rowKey[0] = prefix;
  rowKey.set(key, 1);
  return rowKey;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function damaged(what: string): CairnError {
  return new CairnError('corrupt', `the metadata holds a damaged ${what}`);
}
