// Finds out at opening what blobs there are. It starts from what is known (a saved table, or else the rows of the index)
// and replays the log from the position that this knowledge belongs to. The log is right whatever the index says: an index
// that is damaged, or ahead of the log, is thrown away and the whole log replayed. Then rows that cannot be so are dropped:
// those into segments that are gone (compaction moved on while the index lost its last writes), and large files that were
// promised in memory only and did not reach the disk.
//
// A table may have been saved long before the index was written last. What the log says in between, the index knows; the
// table catches up with it. What comes after is news to both: a change to what the index says, so that the sums which the
// index keeps go on being right.

import { basename, join } from 'node:path';
import { type Digest, formatHash, hashKey } from '../base/digest.js';
import { CairnError, type ErrorCode, errorCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import type { FileSystem } from '../log/file-system.js';
import { Log, type LogParts, type RecordReader } from '../log/log.js';
import { isBefore, type LogPosition, type ScannedRecord } from '../log/record.js';
import { parseSegmentFileName } from '../log/segment.js';
import { BlobFilter } from './blob-filter.js';
import { blobRecordBytes, decodeBlobRecord } from './blob-records.js';
import { type BlobRow, BlobTable } from './blob-table.js';
import { Catalog } from './catalog.js';
import type { IndexDb, IndexHome } from './index-db.js';
import { LaggingFiles } from './lagging-files.js';
import { LargeFile } from './large-file.js';
import type { LargeFileName, LargeFiles } from './large-files.js';
import { MemoryRows, sharesOf } from './memory-rows.js';
import { recordAt } from './open-blob.js';
import type { Poison } from './poison.js';
import { SegmentUsage } from './segment-usage.js';
import type { StoreReport } from './store-report.js';
import { type LoadedTable, loadTable } from './table-file.js';
import { shardCount } from './table-slot.js';

const logStart: LogPosition = { segment: 0, offset: 0 };

export interface RecoveryParts {
  readonly directory: string;
  readonly fs: FileSystem;
  readonly random: Random;
  readonly index: IndexHome;
  readonly files: LargeFiles;
  /** Memory for the table and its filters. */
  readonly indexMemoryBytes: number;
  readonly tableSaveChangesMin: number;
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

/** Where the table is saved: while the store is in use, or by a clean stop. */
export function tablePath(directory: string, stop: 'clean' | 'none'): string {
  return join(directory, stop === 'clean' ? 'table.clean' : 'table');
}

export async function recover(parts: RecoveryParts): Promise<Recovered> {
  const known = await loadKnown(parts);
  try {
    return await replay(parts, known);
  } catch (err) {
    const reason = reasonsToStartOver[errorCode(err)];
    if (known.indexedTo === undefined || reason === undefined) throw err;
    parts.report('warn', reason, { err });
  }
  return replay(parts, await startOver(parts));
}

/** `out_of_range` is the log's own word for a position behind its end. */
const reasonsToStartOver: Readonly<Partial<Record<ErrorCode, string>>> = {
  out_of_range: 'the index is ahead of the log and is rebuilt',
  corrupt: 'the index is damaged and is rebuilt',
};

/** What is known before the log is replayed. */
interface Known {
  readonly index: IndexDb;
  readonly memory: MemoryRows;
  readonly usage: SegmentUsage;
  /** Up to where the index has followed the log; undefined when nothing is known and all of it must be replayed. */
  readonly indexedTo: LogPosition | undefined;
  /** Where to replay the log from; not after `indexedTo`. */
  readonly from: LogPosition | undefined;
  /** The last stop was a clean one, if nothing is left to replay. */
  readonly clean: boolean;
}

async function loadKnown(parts: RecoveryParts): Promise<Known> {
  const clean = await takeCleanTable(parts);
  let index: IndexDb | undefined;
  try {
    index = await parts.index.open();
    const indexedTo = await index.position();
    if (indexedTo !== undefined) {
      const usage = await index.usage();
      const saved = await loadTable(parts.fs, tablePath(parts.directory, 'none'));
      if (saved !== undefined && isUsable(parts, saved, usage, indexedTo)) {
        const memory = await memoryOf(parts, saved, index);
        return { index, memory, usage, indexedTo, from: saved.position, clean };
      }
      await removeTable(parts);
      return { index, memory: await walkIndex(parts, index, usage), usage, indexedTo, from: indexedTo, clean: false };
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

/** Whether the last stop was a clean one. From now on the next one is not, until it has shown that it is. */
async function takeCleanTable({ fs, directory }: RecoveryParts): Promise<boolean> {
  const path = tablePath(directory, 'clean');
  const isThere = (await fs.list(directory)).includes(basename(path));
  if (isThere) await fs.rename(path, tablePath(directory, 'none'));
  await fs.syncDirectory(directory);
  return isThere;
}

async function removeTable({ fs, directory }: RecoveryParts): Promise<void> {
  await fs.remove(tablePath(directory, 'none'));
  await fs.syncDirectory(directory);
}

/** An index that lost its last batches is behind what the table counts on. */
function isUsable(
  { indexMemoryBytes }: RecoveryParts,
  { filter, isComplete, indexedTo }: LoadedTable,
  { blobs }: SegmentUsage,
  position: LogPosition,
): boolean {
  const { rowsMax, filterBytes } = sharesOf(indexMemoryBytes);
  if (filter !== undefined && filter.bytes.length !== filterBytes) return false;
  // With much room left, all rows should be in memory.
  if (!isComplete && blobs < rowsMax / 2) return false;
  return !isBefore(position, indexedTo);
}

async function memoryOf(
  parts: RecoveryParts,
  { table, filter, isComplete }: LoadedTable,
  index: IndexDb,
): Promise<MemoryRows> {
  const present = new Set(await segmentIds(parts));
  const isGone = (segment: number) => !present.has(segment);
  for (let shard = 0; shard < shardCount; shard++) {
    // Moved or deleted since the table was saved, by records that may be gone themselves: the index knows.
    const hashes = table.hashesInto(shard, isGone);
    for (let start = 0; start < hashes.length; start += limits.indexStepRowsMax) {
      const step = hashes.slice(start, start + limits.indexStepRowsMax);
      for (const [i, row] of (await index.rows(step)).entries()) {
        if (row === undefined) table.delete(step[i]!);
        else table.set(step[i]!, row);
      }
    }
  }
  return new MemoryRows(sharesOf(parts.indexMemoryBytes), table, filter, isComplete);
}

async function walkIndex(
  { random, indexMemoryBytes }: RecoveryParts,
  index: IndexDb,
  { blobs }: SegmentUsage,
): Promise<MemoryRows> {
  const shares = sharesOf(indexMemoryBytes);
  const isComplete = blobs <= shares.rowsMax;
  const table = BlobTable.create(random);
  const filter = isComplete ? undefined : new BlobFilter(shares.filterBytes);
  for await (const entries of index.entries()) {
    for (const { hash, row } of entries) {
      if (isComplete || table.count < shares.rowsMax) table.set(hash, row);
      filter?.add(hash);
    }
  }
  return new MemoryRows(shares, table, filter, isComplete);
}

async function startOver(parts: RecoveryParts): Promise<Known> {
  await removeTable(parts);
  await parts.index.destroy();
  const index = await parts.index.open();
  const memory = new MemoryRows(sharesOf(parts.indexMemoryBytes), BlobTable.create(parts.random), undefined, true);
  return { index, memory, usage: new SegmentUsage(), indexedTo: undefined, from: undefined, clean: false };
}

/** Closes the index on failure. */
async function replay(parts: RecoveryParts, known: Known): Promise<Recovered> {
  const { files, poison } = parts;
  const { index, indexedTo } = known;
  const lagging = new LaggingFiles();
  let log: Log | undefined;
  let replayed = 0;
  let toldUpTo: LogPosition = known.from ?? logStart;
  const catalog = new Catalog({
    ...known,
    saveChangesMin: parts.tableSaveChangesMin,
    log: {
      end: () => log?.end ?? toldUpTo,
      // Before the log is open, only what sealed segments say goes into the index.
      makeDurable: async () => {
        const opened = log;
        if (opened !== undefined) await lagging.settle(files, poison, () => opened.sync());
      },
    },
  });
  const lastSegment = Math.max(0, ...(await segmentIds(parts)));
  const inMemory = new Map<string, { digest: Digest; name: LargeFileName }>();
  const take = (record: ScannedRecord) => {
    const blob = decodeBlobRecord(record);
    if (blob === undefined) return;
    replayed++;
    const hash = blob.kind === 'tombstone' ? blob.hash : blob.digest.hash;
    const key = hashKey(hash);
    inMemory.delete(key);
    const { segment, offset } = record.place;
    const row =
      blob.kind === 'tombstone' ? undefined : { size: blob.digest.size, segment, offset, large: blob.kind === 'large' };
    if (indexedTo !== undefined && isBefore(record.place, indexedTo)) {
      catalog.catchUp(hash, row);
    } else {
      if (indexedTo !== undefined) catalog.trustIndex(hash);
      if (row === undefined) catalog.drop(hash);
      else catalog.place(hash, row);
    }
    if (blob.kind === 'large' && blob.unsynced) {
      inMemory.set(key, { digest: blob.digest, name: { hash, file: blob.file } });
    }
  };
  try {
    log = await Log.open(parts.log, known.from, (record) => {
      const { segment, offset } = record.place;
      // Who has read the index would not look at those files again.
      const isUnsure = segment === lastSegment || inMemory.size > 0;
      if (catalog.changedCount < limits.indexLagRowsMax || isUnsure) return take(record);
      toldUpTo = { segment, offset };
      return catalog.keepUp().then(() => take(record));
    });
    if (indexedTo !== undefined && isBefore(log.end, indexedTo)) {
      throw new CairnError('out_of_range', 'the index has followed the log further than the log goes');
    }
    await dropGoneSegments(parts, catalog, log);
    await dropLostFiles(parts, log, catalog, inMemory.values());
    await catalog.keepUp();
    if (!known.clean || replayed > 0) await sweepFiles(parts, log, catalog);
    return { index, log, catalog, lagging };
  } catch (error) {
    await log?.close();
    await index.close();
    throw error;
  }
}

async function segmentIds({ fs, log }: RecoveryParts): Promise<number[]> {
  return (await fs.list(log.directory)).map(parseSegmentFileName).filter((id) => id !== undefined);
}

/** A row into a segment that is gone was left behind by compaction: its blob was moved, or deleted before. */
async function dropGoneSegments(parts: RecoveryParts, catalog: Catalog, log: Log): Promise<void> {
  const { usage } = catalog;
  const present = new Set(log.segments().map(({ id }) => id));
  const isGone = (segment: number) => !present.has(segment);
  if (!usage.segmentIds().some((id) => isGone(id) && usage.blobBytes(id) > 0)) return;
  await removeTable(parts);
  await catalog.dropRowsInto(isGone);
}

/** Reads the large files that were promised in memory only; what is not there as a whole never was. */
async function dropLostFiles(
  parts: RecoveryParts,
  log: Log,
  catalog: Catalog,
  candidates: Iterable<{ readonly digest: Digest; readonly name: LargeFileName }>,
): Promise<void> {
  const { files, report } = parts;
  for (const { digest, name } of candidates) {
    const row = catalog.find(digest.hash)!;
    try {
      await readAll(files, name, digest, await log.openRecord(row, blobRecordBytes(row)));
      await files.sync(name);
    } catch (error) {
      if (errorCode(error) !== 'corrupt') throw error;
      report('warn', 'a blob kept in memory only did not outlive the stop', { blob: formatHash(digest.hash) });
      // No record says that the blob is gone. So a table of before must not be used again.
      await removeTable(parts);
      catalog.drop(digest.hash);
    }
  }
}

/** Closes the record. */
async function readAll(files: LargeFiles, name: LargeFileName, digest: Digest, record: RecordReader): Promise<void> {
  let opened: { close(): Promise<void> } = record;
  try {
    const file = await files.acquire(name, digest);
    const large = new LargeFile({ digest, file, record, closeFile: () => files.release(file) });
    opened = large;
    for (let start = 0; start < digest.size; start += limits.readBytesMax) {
      await large.read({ start, end: Math.min(start + limits.readBytesMax, digest.size) }, undefined);
    }
  } finally {
    await opened.close();
  }
}

/** Removes large files that no record refers to. */
async function sweepFiles({ files, report }: RecoveryParts, log: Log, catalog: Catalog): Promise<void> {
  const removed = await files.sweep(async (copies) => {
    const { hash } = copies[0]!;
    const row = catalog.find(hash);
    if (row === undefined || !row.large) return undefined;
    if (copies.length === 1) return copies[0]!.file;
    return fileOf(log, row);
  });
  if (removed > 0) report('info', 'removed files of unfinished writes', { removed });
}

/** Which file a large blob's record names; all, where the record is damaged. */
async function fileOf(log: Log, row: BlobRow): Promise<number | 'all' | undefined> {
  try {
    const blob = await recordAt(log, row);
    return blob?.kind === 'large' ? blob.file : undefined;
  } catch (error) {
    if (errorCode(error) === 'corrupt') return 'all';
    throw error;
  }
}
