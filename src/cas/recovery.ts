// Finds out at opening what blobs there are. It starts from what is known (the table a clean close saved, or the index)
// and replays the log from the position that knowledge belongs to. The log is right whatever the index says: an index that
// is damaged, or ahead of the log, is thrown away and the whole log replayed. Then rows that cannot be so are dropped:
// those into segments that are gone (compaction moved on while the index lost its last writes), and large files that were
// promised in memory only and did not reach the disk.

import { join } from 'node:path';
import { type BlobHash, type Digest, formatHash, hashHex } from '../base/digest.js';
import { errorCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import type { FileSystem } from '../log/file-system.js';
import { Log, type LogParts } from '../log/log.js';
import type { LogPosition } from '../log/record.js';
import { LargeHandle } from './blob-handles.js';
import { blobRecordBytes, decodeBlobRecord } from './blob-records.js';
import { BlobTable } from './blob-table.js';
import { Catalog } from './catalog.js';
import type { IndexDb, IndexHome } from './index-db.js';
import { LaggingFiles } from './lagging-files.js';
import type { LargeFileName, LargeFiles } from './large-files.js';
import type { Poison } from './poison.js';
import type { StoreReport } from './store-report.js';
import { loadTable } from './table-file.js';

export interface RecoveryParts {
  readonly directory: string;
  readonly fs: FileSystem;
  readonly random: Random;
  readonly index: IndexHome;
  readonly files: LargeFiles;
  readonly log: LogParts;
  readonly poison: Poison;
  readonly report: StoreReport;
}

export interface Recovered {
  readonly index: IndexDb;
  readonly log: Log;
  readonly catalog: Catalog;
  readonly lagging: LaggingFiles;
}

export function tablePath(directory: string): string {
  return join(directory, 'table');
}

export async function recover(parts: RecoveryParts): Promise<Recovered> {
  const known = await loadKnown(parts);
  try {
    return await replay(parts, known);
  } catch (error) {
    await known.index.close();
    // The log's own word for a position behind its end.
    if (known.position === undefined || errorCode(error) !== 'out_of_range') throw error;
  }
  parts.report('warn', 'the index is ahead of the log and is rebuilt', {});
  return replay(parts, await startOver(parts));
}

/** What is known before the log is replayed. */
interface Known {
  readonly index: IndexDb;
  readonly table: BlobTable;
  /** Where to replay the log from; undefined when nothing is known and all of it must be. */
  readonly position: LogPosition | undefined;
  /** The last stop was a clean one, if nothing is left to replay. */
  readonly clean: boolean;
}

async function loadKnown(parts: RecoveryParts): Promise<Known> {
  const saved = await takeSavedTable(parts);
  let index: IndexDb | undefined;
  try {
    index = await parts.index.open();
    const position = await index.position();
    if (position !== undefined) {
      const clean = saved !== undefined && samePosition(saved.position, position);
      return { index, table: clean ? saved.table : await loadIndex(parts, index), position, clean };
    }
  } catch (error) {
    await index?.close();
    if (errorCode(error) !== 'corrupt') throw error;
    parts.report('warn', 'the index is damaged and is rebuilt', { err: error });
    return startOver(parts);
  }
  await index.close();
  return startOver(parts);
}

/** The table is taken away: from the first append on it would be a lie. */
async function takeSavedTable({ fs, directory }: RecoveryParts): ReturnType<typeof loadTable> {
  const path = tablePath(directory);
  const saved = await loadTable(fs, path);
  await fs.remove(path);
  await fs.syncDirectory(directory);
  return saved;
}

async function loadIndex({ random }: RecoveryParts, index: IndexDb): Promise<BlobTable> {
  const table = BlobTable.create(random);
  for await (const entries of index.entries()) for (const { hash, row } of entries) table.set(hash, row);
  return table;
}

async function startOver(parts: RecoveryParts): Promise<Known> {
  await parts.index.destroy();
  const index = await parts.index.open();
  return { index, table: BlobTable.create(parts.random), position: undefined, clean: false };
}

function samePosition(a: LogPosition, b: LogPosition): boolean {
  return a.segment === b.segment && a.offset === b.offset;
}

async function replay(parts: RecoveryParts, known: Known): Promise<Recovered> {
  const { files, poison } = parts;
  const { table, index, position } = known;
  const replayed = new Map<string, BlobHash>();
  const inMemory = new Map<string, { digest: Digest; name: LargeFileName }>();
  const log = await Log.open(parts.log, position, (record) => {
    const blob = decodeBlobRecord(record);
    if (blob === undefined) return;
    const hash = blob.kind === 'tombstone' ? blob.hash : blob.digest.hash;
    const hex = hashHex(hash);
    if (position !== undefined) replayed.set(hex, hash);
    inMemory.delete(hex);
    if (blob.kind === 'tombstone') {
      table.delete(hash);
      return;
    }
    const { size } = blob.digest;
    const large = blob.kind === 'large';
    table.set(hash, { size, segment: record.place.segment, offset: record.place.offset, large });
    if (large && blob.unsynced) inMemory.set(hex, { digest: blob.digest, name: { hash, file: blob.file } });
  });
  try {
    const lagging = new LaggingFiles();
    const catalog = new Catalog(table, index, {
      end: () => log.end,
      makeDurable: () => lagging.settle(files, poison, () => log.sync()),
    });
    for (const hash of replayed.values()) catalog.touch(hash);
    dropGoneSegments(catalog, log);
    await dropLostFiles(parts, log, catalog, inMemory.values());
    if (position === undefined) await catalog.writeWholeIndex(log.end);
    if (!known.clean || replayed.size > 0) await sweepFiles(parts, log, catalog);
    return { index, log, catalog, lagging };
  } catch (error) {
    await log.close();
    throw error;
  }
}

/** A row into a segment that is gone was left behind by compaction: its blob was moved, or deleted before. */
function dropGoneSegments(catalog: Catalog, log: Log): void {
  const present = new Set(log.segments().map(({ id }) => id));
  if (catalog.usage.segmentIds().every((id) => present.has(id))) return;
  const gone: BlobHash[] = [];
  catalog.table.forEach((hash, { segment }) => {
    if (!present.has(segment)) gone.push(hash);
  });
  for (const hash of gone) catalog.drop(hash);
}

/** Reads the large files that were promised in memory only; what is not there as a whole never was. */
async function dropLostFiles(
  { files, report }: RecoveryParts,
  log: Log,
  catalog: Catalog,
  candidates: Iterable<{ readonly digest: Digest; readonly name: LargeFileName }>,
): Promise<void> {
  for (const { digest, name } of candidates) {
    const row = catalog.find(digest.hash)!;
    try {
      const record = await log.openRecord(row, blobRecordBytes(row));
      const file = await files.acquire(name, digest);
      const handle = new LargeHandle(digest, file, record, () => files.release(file));
      try {
        await readAll(handle);
      } finally {
        await handle.close();
      }
      await files.sync(name);
    } catch (error) {
      if (errorCode(error) !== 'corrupt') throw error;
      report('warn', 'a blob kept in memory only did not outlive the stop', { blob: formatHash(digest.hash) });
      catalog.drop(digest.hash);
    }
  }
}

async function readAll(handle: LargeHandle): Promise<void> {
  const { size } = handle.digest;
  for (let start = 0; start < size; start += limits.readBytesMax) {
    await handle.read({ start, end: Math.min(start + limits.readBytesMax, size) });
  }
}

/** Removes large files that no record refers to. */
async function sweepFiles({ files, report }: RecoveryParts, log: Log, catalog: Catalog): Promise<void> {
  const removed = await files.sweep(async (copies) => {
    const { hash } = copies[0]!;
    const row = catalog.find(hash);
    if (row === undefined || !row.large) return undefined;
    if (copies.length === 1) return copies[0]!.file;
    const record = await log.openRecord(row, blobRecordBytes(row));
    await record.close();
    const blob = decodeBlobRecord(record);
    return blob?.kind === 'large' ? blob.file : undefined;
  });
  if (removed > 0) report('info', 'removed files of unfinished writes', { removed });
}
