// Opening a log: finds its segments, learns where each ends, removes what a crash left behind, and replays the records.
// Nothing new is written into a segment here. A segment ends where the header after it says; the last one, at its first record
// that is not whole. Only when that is exactly where the reader of the log last knew it to end, and where the file ends,
// may appends go on in it: everything in it was durable then, and nothing lies behind.

import { join } from 'node:path';
import { CairnError, errorCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { FileSystem, OpenFile } from './file-system.js';
import type { LogPosition, ScannedRecord } from './record.js';
import { type DamagedStretch, scanSealed, scanTail } from './scanner.js';
import { parseSegmentFileName, Segment, segmentFileName } from './segment.js';
import { decodeSegmentHeader, type SegmentHeader, segmentHeaderAreaBytes } from './segment-header.js';

export interface RecoveryParts {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly onDamage: (stretch: DamagedStretch) => void;
}

export interface RecoveredLog {
  /** In ascending order of id. */
  readonly segments: Map<number, Segment>;
  readonly last: Segment | undefined;
  /** Appends may go on in `last`. */
  readonly continues: boolean;
  readonly nextSegment: number;
}

interface FoundSegment {
  readonly id: number;
  readonly file: OpenFile;
  readonly header: SegmentHeader | undefined;
  readonly size: number;
}

/**
 * `out_of_range` when `from` lies behind the end of the log: then the log has lost what its reader has seen, and what the
 * reader keeps must be made anew from the whole log.
 */
export async function recoverLog(
  parts: RecoveryParts,
  from: LogPosition | undefined,
  visit: (record: ScannedRecord) => void | Promise<void>,
): Promise<RecoveredLog> {
  const { found, nextSegment } = await findSegments(parts);
  try {
    const segments = withEnds(found);
    const last = [...segments.values()].at(-1);
    checkStart(from, last);
    let continues = false;
    for (const segment of segments.values()) {
      const start = startIn(segment, from);
      if (start === undefined) continue;
      if (segment !== last || segment.header === undefined) await scanSealed(segment, start, visit, parts.onDamage);
      else continues = await replayLast(parts, segment, start, from, visit);
    }
    return { segments, last, continues, nextSegment: Math.max(nextSegment, (from?.segment ?? 0) + 1) };
  } catch (error) {
    await Promise.all(found.map(({ file }) => file.close()));
    throw error;
  }
}

async function findSegments(parts: RecoveryParts): Promise<{ found: FoundSegment[]; nextSegment: number }> {
  const { fs, directory } = parts;
  const ids = (await fs.list(directory)).map(parseSegmentFileName).filter((id) => id !== undefined);
  ids.sort((a, b) => a - b);
  const found: FoundSegment[] = [];
  try {
    for (let at = 0; at < ids.length; at += limits.segmentOpensCountMax) {
      const group = ids.slice(at, at + limits.segmentOpensCountMax);
      const opened = await Promise.allSettled(group.map((id) => openSegment(parts, id)));
      for (const result of opened) if (result.status === 'fulfilled' && result.value) found.push(result.value);
      for (const result of opened) if (result.status === 'rejected') throw result.reason;
    }
    await makeLastWritable(parts, found);
    // What was removed, now or by a process that could not finish, must not come back once appends have gone on without it.
    await fs.syncDirectory(directory);
  } catch (error) {
    await Promise.all(found.map(({ file }) => file.close()));
    throw error;
  }
  return { found, nextSegment: (ids.at(-1) ?? 0) + 1 };
}

/** Undefined, and gone, when a crash or a failure came between creating the file and completing its header. */
async function openSegment(parts: RecoveryParts, id: number): Promise<FoundSegment | undefined> {
  const { fs, directory } = parts;
  const path = join(directory, segmentFileName(id));
  const file = await fs.open(path, 'read');
  if (file === undefined) return undefined;
  try {
    const area = new Uint8Array(segmentHeaderAreaBytes);
    const got = await file.read(area, 0);
    const decoded = decodeSegmentHeader(area.subarray(0, got));
    const header = decoded?.segment === id ? decoded : undefined;
    const size = await file.size();
    if (header !== undefined || size > segmentHeaderAreaBytes) return { id, file, header, size };
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  await fs.remove(path);
  return undefined;
}

/** Which is the last is known when those without a header are gone. */
async function makeLastWritable({ fs }: RecoveryParts, found: FoundSegment[]): Promise<void> {
  const last = found.at(-1);
  const file = last && (await fs.open(last.file.path, 'write'));
  if (file === undefined) return;
  found[found.length - 1] = { ...last!, file };
  await last!.file.close();
}

/**
 * Where each segment ends. One whose follower is gone was cut to its end before, and the end of one whose follower's header
 * is damaged is not known: for both it is the end of the file.
 */
function withEnds(found: readonly FoundSegment[]): Map<number, Segment> {
  const ends = new Map<number, number>();
  for (const { header } of found) if (header !== undefined) ends.set(header.previousSegment, header.previousEnd);
  const lastId = found.at(-1)?.id;
  return new Map(
    found.map(({ id, file, header, size }) => {
      const sealed = id !== lastId;
      const end = Math.max(segmentHeaderAreaBytes, (sealed ? ends.get(id) : undefined) ?? size);
      return [id, new Segment(id, file, header, end, sealed)];
    }),
  );
}

function checkStart(from: LogPosition | undefined, last: Segment | undefined): void {
  const end: LogPosition = { segment: last?.id ?? 0, offset: last?.end ?? 0 };
  if (from === undefined || from.segment < end.segment) return;
  if (from.segment === end.segment && from.offset <= end.offset) return;
  const [asked, there] = [from, end].map(({ segment, offset }) => `segment ${segment}, byte ${offset}`);
  throw new CairnError('out_of_range', `the log ends at ${there}, before ${asked}, up to where it was read`);
}

/** Where the replay of a segment begins; undefined when all of it lies before `from`. */
function startIn(segment: Segment, from: LogPosition | undefined): number | undefined {
  if (from === undefined || segment.id > from.segment) return segmentHeaderAreaBytes;
  return segment.id === from.segment ? from.offset : undefined;
}

/** Finds the end of the last segment, makes all before it durable, and answers whether appends may go on there. */
async function replayLast(
  { onDamage }: RecoveryParts,
  last: Segment,
  start: number,
  from: LogPosition | undefined,
  visit: (record: ScannedRecord) => void | Promise<void>,
): Promise<boolean> {
  const size = last.end;
  last.end = await scanTail(last, start, visit, onDamage);
  await writeAgain(last, Math.max(start, segmentHeaderAreaBytes));
  await last.file.sync();
  const isKnownEnd = from?.segment === last.id && from.offset === size;
  return last.end === size && (isKnownEnd || last.isEmpty);
}

/**
 * Writes what was replayed once more, as it is. If a sync failed under an earlier process, the system may go on showing
 * bytes that it has given up writing to the disk; a sync alone would not bring them there.
 */
async function writeAgain({ file, end }: Segment, start: number): Promise<void> {
  const buffer = new Uint8Array(Math.min(limits.scanWindowBytes, Math.max(0, end - start)));
  try {
    for (let at = start; at < end; at += buffer.length) {
      const got = await file.read(buffer.subarray(0, Math.min(buffer.length, end - at)), at);
      await file.write([buffer.subarray(0, got)], at);
    }
  } catch (error) {
    // Where even writing in place takes space: a store that is full must open all the same.
    if (errorCode(error) !== 'no_space') throw error;
  }
}
