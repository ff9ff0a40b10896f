// Walks over the records of one segment. There are two walks, because damage means two things. In a sealed segment every
// byte was durable once, so damage is an accident: it is skipped to the next valid record, and reported. At the tail of the
// last segment it is where a crash tore a write: the log ends there, whatever lies behind it. What tells the two apart is a
// valid record further on than one group commit reaches: it was written when everything before it was durable.

import { assert } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { blockMatches } from './block-checksums.js';
import {
  decodeRecordHeader,
  headIsValid,
  recordAlignment,
  recordBytes,
  recordHeadBytes,
  recordHeadBytesMax,
  recordHeaderBytes,
  type ScannedRecord,
} from './record.js';
import { ScanWindow } from './scan-window.js';
import type { Segment } from './segment.js';
import { segmentHeaderAreaBytes } from './segment-header.js';

export interface ScanReport {
  readonly records: number;
  /** Bytes that belong to no valid record. */
  readonly damagedBytes: number;
  /** Runs of such bytes. */
  readonly damagedStretches: number;
}

/** A run of a sealed segment's bytes that belongs to no valid record. */
export interface DamagedStretch {
  readonly segment: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Visits the records of [start, segment.end) in order. Payloads are not read. A file shorter than its segment is damaged
 * to the segment's end. A failed read fails the scan: it says nothing about the bytes.
 */
export async function scanSealed(
  segment: Segment,
  start: number,
  visit: (record: ScannedRecord) => void | Promise<void>,
  onDamage: (stretch: DamagedStretch) => void,
  scanEnd = segment.end,
): Promise<ScanReport> {
  let offset = Math.max(start, segmentHeaderAreaBytes);
  const window = new ScanWindow(segment.file, offset, segment.end);
  let records = 0;
  let damagedBytes = 0;
  let damagedStretches = 0;
  let damagedFrom: number | undefined;
  const endDamage = (end: number) => {
    if (damagedFrom === undefined) return;
    damagedBytes += end - damagedFrom;
    damagedStretches++;
    onDamage({ segment: segment.id, start: damagedFrom, end });
    damagedFrom = undefined;
  };
  while (offset < scanEnd) {
    if (!window.covers(offset, recordHeadBytesMax)) await window.moveTo(offset);
    const record = recordAt(window, segment, offset);
    if (record === undefined) {
      damagedFrom ??= offset;
      offset = nextCandidate(window, offset + recordAlignment, segment);
      continue;
    }
    endDamage(offset);
    records++;
    const visited = visit(record);
    if (visited !== undefined) await visited;
    offset += record.place.length;
  }
  endDamage(scanEnd);
  return { records, damagedBytes, damagedStretches };
}

/**
 * Visits the records of the last segment from `start` on and answers where the segment ends: where the first record starts
 * that is not whole, payload included. Unless that is provably damage, which is skipped as in a sealed segment.
 */
export async function scanTail(
  segment: Segment,
  start: number,
  visit: (record: ScannedRecord) => void | Promise<void>,
  onDamage: (stretch: DamagedStretch) => void,
): Promise<number> {
  const wholeUntil = await scanWhole(segment, start, visit);
  if (wholeUntil === segment.end || segment.header?.durability !== 'disk') return wholeUntil;
  const later = await findRecord(segment, wholeUntil + limits.groupCommitBytesMax);
  if (later === undefined) return wholeUntil;
  await scanSealed(segment, wholeUntil, visit, onDamage, later);
  return scanTail(segment, later, visit, onDamage);
}

/** Visits records up to the first that is not whole, payload included, and answers where that is. */
async function scanWhole(
  segment: Segment,
  start: number,
  visit: (record: ScannedRecord) => void | Promise<void>,
): Promise<number> {
  let offset = Math.max(start, segmentHeaderAreaBytes);
  const window = new ScanWindow(segment.file, offset, segment.end);
  while (offset < segment.end) {
    if (!window.covers(offset, recordHeadBytesMax)) await window.moveTo(offset);
    const record = recordAt(window, segment, offset);
    if (record === undefined || !(await payloadIsWhole(window, record))) return offset;
    const visited = visit(record);
    if (visited !== undefined) await visited;
    offset += record.place.length;
  }
  return offset;
}

/** Where the first valid record at or after an offset starts. */
async function findRecord(segment: Segment, from: number): Promise<number | undefined> {
  let offset = Math.ceil(from / recordAlignment) * recordAlignment;
  const window = new ScanWindow(segment.file, offset, segment.end);
  while (offset < segment.end) {
    if (!window.covers(offset, recordHeadBytesMax)) await window.moveTo(offset);
    if (recordAt(window, segment, offset) !== undefined) return offset;
    offset = nextCandidate(window, offset + recordAlignment, segment);
  }
  return undefined;
}

/** The record at an offset that the window covers, if a valid one that ends inside its segment starts there. */
function recordAt(window: ScanWindow, segment: Segment, offset: number): ScannedRecord | undefined {
  if (segment.saltChecksum === undefined) return undefined;
  const bytes = window.bytes(offset, recordHeadBytesMax);
  const header = decodeRecordHeader(bytes, 0);
  if (header === undefined) return undefined;
  const { type, version, metaBytes, payloadBytes } = header;
  const headBytes = recordHeadBytes(metaBytes, payloadBytes);
  const length = recordBytes(metaBytes, payloadBytes);
  if (headBytes > bytes.length || offset + length > segment.end) return undefined;
  if (!headIsValid(bytes.subarray(0, headBytes), segment.saltChecksum, offset)) return undefined;
  const meta = bytes.slice(recordHeaderBytes, recordHeaderBytes + metaBytes);
  return { place: { segment: segment.id, offset, length }, type, version, meta, payloadBytes };
}

/** The next offset worth a closer look: one with the marks of a header, or the first that the window does not have. */
function nextCandidate(window: ScanWindow, from: number, segment: Segment): number {
  const bytes = window.bytes(from, limits.scanWindowBytes);
  // Only the end of the file cuts the window this short.
  if (segment.saltChecksum === undefined || bytes.length < recordHeaderBytes) return segment.end;
  let at = 0;
  while (at + recordHeaderBytes <= bytes.length && decodeRecordHeader(bytes, at) === undefined) at += recordAlignment;
  return from + at;
}

async function payloadIsWhole(window: ScanWindow, record: ScannedRecord): Promise<boolean> {
  const { place, meta, payloadBytes } = record;
  const headBytes = recordHeadBytes(meta.length, payloadBytes);
  const tableAt = recordHeaderBytes + meta.length;
  // Copied when the payload is long, since the window then moves away from it.
  assert(window.covers(place.offset, headBytes), 'the head of a record was just read');
  const inPlace = window.covers(place.offset, place.length);
  const head = window.bytes(place.offset, headBytes);
  const table = inPlace ? head.subarray(tableAt) : head.slice(tableAt);
  for (let at = 0, index = 0; at < payloadBytes; at += limits.blockBytes, index++) {
    const position = place.offset + headBytes + at;
    const length = Math.min(limits.blockBytes, payloadBytes - at);
    if (!window.covers(position, length)) await window.moveTo(position);
    const block = window.bytes(position, length);
    if (block.length < length || !blockMatches(block, table, index)) return false;
  }
  return true;
}
