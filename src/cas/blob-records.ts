// What the store writes into the log, and how it reads that back. The last record about a hash decides: a blob record
// says where the blob is, a tombstone says it is gone. `docs/FORMATS.md` has the bytes.

import { type BlobHash, type Digest, hashLength, toDigest, toHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { type NewRecord, recordBytes } from '../log/record.js';

/** Types 4 to 7 are set aside for quarantine, pin, alias and ref. */
const recordType = { packedBlob: 1, largeBlob: 2, tombstone: 3 } as const;

const recordVersion = 1;
const noBytes = new Uint8Array(0);
const largeMetaBytes = hashLength + 8 + 8;
/** In the flags word of a large blob's meta: its file was not yet durable when the record was written. */
const unsyncedFlag = 1;

export type BlobRecord =
  | { readonly kind: 'packed'; readonly digest: Digest }
  | { readonly kind: 'large'; readonly digest: Digest; readonly file: number; readonly unsynced: boolean }
  | { readonly kind: 'tombstone'; readonly hash: BlobHash };

export function packedBlobRecord(hash: BlobHash, bytes: Uint8Array): NewRecord {
  return { type: recordType.packedBlob, version: recordVersion, meta: hash, payload: bytes };
}

/**
 * The reference to a blob in a file of its own. The payload is the file's checksum table: one CRC-32 for each block.
 * `file` tells this copy's file from earlier ones of the same hash (u32).
 */
export function largeBlobRecord(digest: Digest, file: number, unsynced: boolean, checksums: Uint8Array): NewRecord {
  const meta = new Uint8Array(largeMetaBytes);
  const view = new DataView(meta.buffer);
  meta.set(digest.hash);
  view.setBigUint64(hashLength, BigInt(digest.size), true);
  view.setUint32(hashLength + 8, file, true);
  view.setUint32(hashLength + 12, unsynced ? unsyncedFlag : 0, true);
  return { type: recordType.largeBlob, version: recordVersion, meta, payload: checksums };
}

export function tombstoneRecord(hash: BlobHash): NewRecord {
  return { type: recordType.tombstone, version: recordVersion, meta: hash, payload: noBytes };
}

/** Undefined for a record of a type or version this program does not know. `corrupt` when a known one has a wrong shape. */
export function decodeBlobRecord(record: {
  readonly type: number;
  readonly version: number;
  readonly meta: Uint8Array;
  readonly payloadBytes: number;
}): BlobRecord | undefined {
  if (record.version !== recordVersion) return undefined;
  switch (record.type) {
    case recordType.packedBlob:
      expectMeta(record.meta, hashLength);
      return { kind: 'packed', digest: toDigest(hashOf(record.meta), record.payloadBytes) };
    case recordType.largeBlob:
      return decodeLarge(record.meta);
    case recordType.tombstone:
      expectMeta(record.meta, hashLength);
      return { kind: 'tombstone', hash: hashOf(record.meta) };
    default:
      return undefined;
  }
}

function decodeLarge(meta: Uint8Array): BlobRecord {
  expectMeta(meta, largeMetaBytes);
  const view = new DataView(meta.buffer, meta.byteOffset, meta.byteLength);
  const size = Number(view.getBigUint64(hashLength, true));
  if (size > limits.blobBytesMax) throw new CairnError('corrupt', `a record names a blob of ${size} bytes`);
  return {
    kind: 'large',
    digest: toDigest(hashOf(meta), size),
    file: view.getUint32(hashLength + 8, true),
    unsynced: (view.getUint32(hashLength + 12, true) & unsyncedFlag) !== 0,
  };
}

function expectMeta(meta: Uint8Array, length: number): void {
  if (meta.length !== length) {
    throw new CairnError('corrupt', `a record's meta has ${meta.length} bytes instead of ${length}`);
  }
}

/** Copied, so that a row kept for long does not hold a read buffer. */
function hashOf(meta: Uint8Array): BlobHash {
  return toHash(meta.slice(0, hashLength));
}

/** Bytes of checksum table for a blob of this size. */
function checksumTableBytes(size: number): number {
  return 4 * Math.ceil(size / limits.blockBytes);
}

/** Bytes a blob takes up in the log, from its row alone. */
export function blobRecordBytes(row: { readonly size: number; readonly large: boolean }): number {
  return row.large ? recordBytes(largeMetaBytes, checksumTableBytes(row.size)) : recordBytes(hashLength, row.size);
}

export const tombstoneRecordBytes = (): number => recordBytes(hashLength, 0);
