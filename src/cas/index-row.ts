// Keys and values of the index, byte by byte; the tables are in docs/FORMATS.md. Every value ends in a CRC-32 over its key
// and itself, because LevelDB does not check what it reads from its tables by default. The state value holds the number of
// rows and the sum of their checksums, so that a row LevelDB has lost or brought back is missed when all are read. The usage
// value sums up the rows, so that opening a store need not read them.

import { type BlobHash, hashLength, toHash } from '../base/digest.js';
import { assert, CairnError } from '../base/errors.js';
import { crc32 } from '../base/node/crc32.js';
import type { LogPosition } from '../log/record.js';
import type { BlobRow } from './blob-table.js';
import { SegmentUsage } from './segment-usage.js';

const metaPrefix = 0x6d; // m
const rowPrefix = 0x72; // r

const rowKeyBytes = 1 + hashLength;
const valueBytes = 36;
const checksumOffset = 32;
const usageHeadBytes = 24;
const usageEntryBytes = 12;

const version = 1;
const largeFlag = 1;
const positionFlag = 1;

export interface IndexState {
  readonly position: LogPosition | undefined;
  /** Number of rows. */
  readonly count: number;
  /** Sum of the rows' checksums, modulo 2³². */
  readonly sum: number;
}

export const emptyState: IndexState = { position: undefined, count: 0, sum: 0 };

export const formatKey: Uint8Array = Buffer.from('m/format');
export const formatValue: Uint8Array = Buffer.from('cairn index 2');
export const stateKey: Uint8Array = Buffer.from('m/state');
export const usageKey: Uint8Array = Buffer.from('m/usage');

/** Every key lies between these two, meta before rows. */
export const firstKey: Uint8Array = Uint8Array.of(metaPrefix);
export const keysEnd: Uint8Array = Uint8Array.of(rowPrefix + 1);
export const firstRowKey: Uint8Array = Uint8Array.of(rowPrefix);

export function isMetaKey(key: Uint8Array): boolean {
  return key[0] === metaPrefix;
}

export function encodeRowKey(hash: BlobHash): Uint8Array {
  const key = Buffer.allocUnsafe(rowKeyBytes);
  key[0] = rowPrefix;
  key.set(hash, 1);
  return key;
}

export function decodeRowKey(key: Uint8Array): BlobHash {
  if (key.length !== rowKeyBytes || key[0] !== rowPrefix) throw damaged('key');
  return toHash(new Uint8Array(key.subarray(1)));
}

export function encodeRow(key: Uint8Array, row: BlobRow): Uint8Array {
  assert(Number.isSafeInteger(row.size) && row.size >= 0, `${row.size} is no size`);
  const value = Buffer.alloc(valueBytes);
  value[0] = version;
  value[1] = row.large ? largeFlag : 0;
  value.writeUInt32LE(row.segment, 4);
  value.writeUInt32LE(row.offset, 8);
  // 12: u32, kept for the time of last use
  writeUint64(value, 16, row.size);
  // 24: u64, kept for keep-until
  return seal(key, value);
}

/** `corrupt` unless the value is one that `encodeRow` made for this key. */
export function decodeRow(key: Uint8Array, value: Uint8Array): BlobRow {
  const bytes = unseal(key, value);
  return {
    size: readUint64(bytes, 16),
    segment: bytes.readUInt32LE(4),
    offset: bytes.readUInt32LE(8),
    large: (bytes[1]! & largeFlag) !== 0,
  };
}

/** The checksum at the end of a row's value, as it goes into the sum. */
export function rowChecksum(value: Uint8Array): number {
  if (value.length !== valueBytes) throw damaged('row');
  return asBuffer(value).readUInt32LE(checksumOffset);
}

export function encodeState(state: IndexState): Uint8Array {
  const value = Buffer.alloc(valueBytes);
  value[0] = version;
  value.writeUInt32LE(state.sum, 4);
  writeUint64(value, 8, state.count);
  if (state.position !== undefined) {
    value[1] = positionFlag;
    writeUint64(value, 16, state.position.segment);
    writeUint64(value, 24, state.position.offset);
  }
  return seal(stateKey, value);
}

export function decodeState(value: Uint8Array): IndexState {
  const bytes = unseal(stateKey, value);
  const hasPosition = (bytes[1]! & positionFlag) !== 0;
  return {
    position: hasPosition ? { segment: readUint64(bytes, 16), offset: readUint64(bytes, 24) } : undefined,
    count: readUint64(bytes, 8),
    sum: bytes.readUInt32LE(4),
  };
}

/** Tombstones are not counted. */
export function encodeUsage(usage: SegmentUsage): Uint8Array {
  const segments = usage.segmentIds().filter((id) => usage.blobBytes(id) > 0);
  const value = Buffer.alloc(usageHeadBytes + usageEntryBytes * segments.length + 4);
  value[0] = version;
  writeUint64(value, 8, usage.blobs);
  writeUint64(value, 16, usage.bytes);
  for (const [index, id] of segments.entries()) {
    const at = usageHeadBytes + usageEntryBytes * index;
    value.writeUInt32LE(id, at);
    writeUint64(value, at + 4, usage.blobBytes(id));
  }
  return seal(usageKey, value);
}

export function decodeUsage(value: Uint8Array): SegmentUsage {
  if (value.length < usageHeadBytes + 4 || (value.length - usageHeadBytes - 4) % usageEntryBytes !== 0) {
    throw damaged('sum');
  }
  const bytes = unseal(usageKey, value, value.length);
  const usage = new SegmentUsage();
  usage.blobs = readUint64(bytes, 8);
  usage.bytes = readUint64(bytes, 16);
  for (let at = usageHeadBytes; at + 4 < bytes.length; at += usageEntryBytes) {
    usage.addBlobBytes(bytes.readUInt32LE(at), readUint64(bytes, at + 4));
  }
  return usage;
}

/** Puts the checksum at the end of a value. */
function seal(key: Uint8Array, value: Buffer): Uint8Array {
  const end = value.length - 4;
  value.writeUInt32LE(crc32(value.subarray(0, end), crc32(key)), end);
  return value;
}

function unseal(key: Uint8Array, value: Uint8Array, length = valueBytes): Buffer {
  const bytes = asBuffer(value);
  const end = length - 4;
  const whole = bytes.length === length && bytes.readUInt32LE(end) === crc32(bytes.subarray(0, end), crc32(key));
  if (!whole) throw damaged('value');
  if (bytes[0] !== version) throw new CairnError('corrupt', `the index holds a value of version ${bytes[0]}`);
  return bytes;
}

function writeUint64(target: Buffer, offset: number, value: number): void {
  target.writeUInt32LE(value % 2 ** 32, offset);
  target.writeUInt32LE(Math.floor(value / 2 ** 32), offset + 4);
}

function readUint64(source: Buffer, offset: number): number {
  return source.readUInt32LE(offset) + source.readUInt32LE(offset + 4) * 2 ** 32;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function damaged(what: string): CairnError {
  return new CairnError('corrupt', `the index holds a damaged ${what}`);
}
