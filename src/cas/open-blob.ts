// Opens a blob where its row says it is, for whoever knows rows: the store itself, or another thread that reads its files.
// Between the look at the row and the opening of its file the blob may be deleted, moved by compaction, or stored again: then
// the row is another, and it is tried again. A failure counts only when the row still stands.

import type { BlobHandle } from '../base/blob-store.js';
import { type BlobHash, type Digest, emptyDigest, hashesEqual } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { OpenFile } from '../log/file-system.js';
import type { Log } from '../log/log.js';
import type { LogPosition } from '../log/record.js';
import type { RecordReader } from '../log/record-reader.js';
import { emptyHandle, PackedHandle } from './blob-handles.js';
import { type BlobRecord, blobRecordBytes, decodeBlobRecord } from './blob-records.js';
import type { BlobRow } from './blob-table.js';
import { LargeFile } from './large-file.js';
import type { LargeFileName } from './large-files.js';
import type { OpenLargeFiles } from './open-large-files.js';

export interface BlobPlaces {
  /** `unavailable` when the store is closed. */
  find(hash: BlobHash): BlobRow | undefined | Promise<BlobRow | undefined>;
  /** A small record that can be had without waiting; undefined where `openRecord` has to be asked. */
  openRecordNow(at: LogPosition, lengthHint: number): RecordReader | undefined;
  openRecord(at: LogPosition, lengthHint: number): Promise<RecordReader>;
  /** `corrupt` when it is gone or has another size. */
  openLarge(name: LargeFileName, digest: Digest): Promise<OpenFile>;
  closeLarge(file: OpenFile): Promise<void>;
  readonly openFiles: OpenLargeFiles;
}

export function isEmptyBlob(hash: BlobHash): boolean {
  return hashesEqual(hash, emptyDigest.hash);
}

export function isSameRow(one: BlobRow | undefined, other: BlobRow): boolean {
  return one !== undefined && one.segment === other.segment && one.offset === other.offset;
}

/** Undefined when there is no such blob. */
export async function openBlob(places: BlobPlaces, hash: BlobHash): Promise<BlobHandle | undefined> {
  for (;;) {
    const found = places.find(hash);
    const row = found instanceof Promise ? await found : found;
    if (row === undefined) return isEmptyBlob(hash) ? emptyHandle(emptyDigest) : undefined;
    const open = row.large ? places.openFiles.find(hash, row) : undefined;
    if (open !== undefined) return open;
    try {
      return await openAt(places, hash, row);
    } catch (error) {
      if (isSameRow(await places.find(hash), row)) throw error;
    }
  }
}

async function openAt(places: BlobPlaces, hash: BlobHash, row: BlobRow): Promise<BlobHandle> {
  const bytes = firstReadBytes(row);
  const now = row.large ? undefined : places.openRecordNow(row, bytes);
  const record = now ?? (await places.openRecord(row, bytes));
  let opened: { close(): Promise<void> } = record;
  try {
    const blob = decodeBlobRecord(record);
    if (blob === undefined || blob.kind === 'tombstone' || !hashesEqual(blob.digest.hash, hash)) {
      throw new CairnError('corrupt', `segment ${row.segment} holds another record at ${row.offset}`);
    }
    const { digest } = blob;
    if (blob.kind === 'packed') return new PackedHandle(digest, record);
    const file = await places.openLarge({ hash, file: blob.file }, digest);
    const large = new LargeFile({ digest, file, record, closeFile: () => places.closeLarge(file) });
    opened = large;
    // A blob deleted from here on is forgotten there; for one deleted before, nobody would do that. So nothing may come between
    // the look and what follows. What another thread has to be asked for is old when it comes: then nobody else finds the file.
    const current = places.find(hash);
    if (!(current instanceof Promise)) return places.openFiles.add(large, row, isSameRow(current, row));
    current.catch(() => {});
    return places.openFiles.add(large, row, false);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** What the log says at a place; undefined for a record of a kind this program does not know. `corrupt` when it is damaged. */
export async function recordAt(log: Pick<Log, 'openRecord'>, row: BlobRow): Promise<BlobRecord | undefined> {
  const record = await log.openRecord(row, blobRecordBytes(row));
  await record.close();
  return decodeBlobRecord(record);
}

/** All of a record that comes with one read; of a longer one the head, since its payload is asked for in parts. */
function firstReadBytes(row: BlobRow): number {
  const bytes = blobRecordBytes(row);
  return bytes <= limits.recordFirstReadBytesMax ? bytes : limits.recordHeadReadBytes;
}
