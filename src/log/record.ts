// Records: what one is, and its bytes. A record starts at a multiple of 8 with its head: a header of 16 bytes, the meta,
// and a CRC-32 for each 64 KiB of payload; then come the payload and zeros up to the next multiple of 8. The header's
// checksum covers the segment's salt, the record's own offset and the rest of the head. So a record is valid at its one
// place in its one segment, and no bytes a caller stores can pass for one. `docs/FORMATS.md` has the table.

import { assert, CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { crc32 } from '../base/node/crc32.js';
import { blockCount, writeChecksums } from './block-checksums.js';

export interface LogPosition {
  readonly segment: number;
  readonly offset: number;
}

export function isSamePosition(a: LogPosition, b: LogPosition): boolean {
  return a.segment === b.segment && a.offset === b.offset;
}

export function isBefore(a: LogPosition, b: LogPosition): boolean {
  return a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset);
}

/** Where a whole record lies, its padding included. */
export interface RecordPlace {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

export interface NewRecord {
  /** 1–255, the caller's own. */
  readonly type: number;
  /** 0–255, the caller's own. */
  readonly version: number;
  /** At most `recordMetaBytesMax`. Checked whenever the record is met, without reading the payload. */
  readonly meta: Uint8Array;
  /** At most `recordPayloadBytesMax`. */
  readonly payload: Uint8Array;
}

export interface ScannedRecord {
  readonly place: RecordPlace;
  readonly type: number;
  readonly version: number;
  /** The receiver's own copy. */
  readonly meta: Uint8Array;
  readonly payloadBytes: number;
}

export const recordAlignment = 8;
export const recordHeaderBytes = 16;
/** Most bytes before a record's payload. */
export const recordHeadBytesMax =
  recordHeaderBytes + limits.recordMetaBytesMax + 4 * blockCount(limits.recordPayloadBytesMax);

const magic = 0xca1e;

export interface RecordHeader {
  readonly type: number;
  readonly version: number;
  readonly metaBytes: number;
  readonly payloadBytes: number;
}

/** Bytes before the payload. */
export function recordHeadBytes(metaBytes: number, payloadBytes: number): number {
  return recordHeaderBytes + metaBytes + 4 * blockCount(payloadBytes);
}

/** Bytes of a whole record with its padding. */
export function recordBytes(metaBytes: number, payloadBytes: number): number {
  const unpadded = recordHeadBytes(metaBytes, payloadBytes) + payloadBytes;
  return Math.ceil(unpadded / recordAlignment) * recordAlignment;
}

/** `too_large` for a record that has no place in a log. */
export function checkNewRecord(record: NewRecord): void {
  const { type, version, meta, payload } = record;
  assert(Number.isInteger(type) && type >= 1 && type <= 255, 'a record type is 1–255');
  assert(Number.isInteger(version) && version >= 0 && version <= 255, 'a record version is 0–255');
  if (meta.length > limits.recordMetaBytesMax || payload.length > limits.recordPayloadBytesMax) {
    throw new CairnError('too_large', `a record of ${meta.length} + ${payload.length} bytes is too large for the log`);
  }
}

/** Writes a record's head into `target` at `at`, for a place in the log. */
export function encodeRecordHead(
  target: DataView<ArrayBuffer>,
  at: number,
  record: NewRecord,
  saltChecksum: number,
  offset: number,
): void {
  const { type, version, meta, payload } = record;
  const bytes = new Uint8Array(target.buffer, target.byteOffset + at, recordHeadBytes(meta.length, payload.length));
  target.setUint16(at + 4, magic, true);
  target.setUint8(at + 6, type);
  target.setUint8(at + 7, version);
  target.setUint32(at + 8, meta.length, true);
  target.setUint32(at + 12, payload.length, true);
  bytes.set(meta, recordHeaderBytes);
  writeChecksums(payload, bytes, recordHeaderBytes + meta.length);
  target.setUint32(at, headChecksum(bytes, saltChecksum, offset), true);
}

/** The header of a record that might start at `at`, if its fields make sense. Only `headIsValid` says that it does. */
export function decodeRecordHeader(bytes: Uint8Array, at: number): RecordHeader | undefined {
  if (bytes.length - at < recordHeaderBytes) return undefined;
  if ((bytes[at + 4]! | (bytes[at + 5]! << 8)) !== magic) return undefined;
  const metaBytes = readUint32(bytes, at + 8);
  const payloadBytes = readUint32(bytes, at + 12);
  if (metaBytes > limits.recordMetaBytesMax || payloadBytes > limits.recordPayloadBytesMax) return undefined;
  return { type: bytes[at + 6]!, version: bytes[at + 7]!, metaBytes, payloadBytes };
}

/** Whether the bytes are the whole, undamaged head of a record of this segment at this offset. */
export function headIsValid(head: Uint8Array, saltChecksum: number, offset: number): boolean {
  return headChecksum(head, saltChecksum, offset) === readUint32(head, 0);
}

/** What the checksums of all heads of a segment begin with. */
export function checksumOfSalt(salt: Uint8Array): number {
  return crc32(salt);
}

/** Scratch space: the offset as it enters a checksum, with room for the rest of a small head behind it. */
const scratch = new Uint8Array(128);
const scratchView = new DataView(scratch.buffer);
const offsetBytes = scratch.subarray(0, 8);
/** Of the last small head. Most heads of a log have the same length, so that a view of it seldom has to be made. */
let checked = offsetBytes;

function headChecksum(head: Uint8Array, saltChecksum: number, offset: number): number {
  scratchView.setUint32(0, offset % 2 ** 32, true);
  scratchView.setUint32(4, Math.floor(offset / 2 ** 32), true);
  const length = offsetBytes.length + head.length - 4;
  if (length > scratch.length) return crc32(head.subarray(4), crc32(offsetBytes, saltChecksum));
  for (let i = 4; i < head.length; i++) scratch[offsetBytes.length + i - 4] = head[i]!;
  if (checked.length !== length) checked = scratch.subarray(0, length);
  return crc32(checked, saltChecksum);
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
