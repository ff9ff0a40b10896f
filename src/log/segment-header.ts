// The header of a segment file. It stands at the start of the file twice, so that one damaged sector does not cost the
// segment, and says two things that no other place says: the salt of the segment's records, and where the segment before
// it ends. The second is how a segment with a torn tail is sealed without being touched.

import type { Durability } from '../base/blob-store.js';
import { CairnError } from '../base/errors.js';
import { crc32 } from '../base/node/crc32.js';

export interface SegmentHeader {
  readonly segment: number;
  readonly salt: Uint8Array;
  /** The segment before this one and its end; 0 and 0 for the first. */
  readonly previousSegment: number;
  readonly previousEnd: number;
  /** 'disk': each group commit was durable before the next was written. */
  readonly durability: Durability;
  /** Milliseconds since the Unix epoch; for people. */
  readonly created: number;
}

/** Records begin here. */
export const segmentHeaderAreaBytes = 4096;
export const saltBytes = 16;

const copyAt = [0, 2048];
const headerBytes = 64;
const formatVersion = 1;
/** The one flag there is: the segment's records were acknowledged before they were durable. */
const memoryFlag = 1;
const magic = Uint8Array.from('CAIRNLOG', (letter) => letter.charCodeAt(0));

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const area = new Uint8Array(segmentHeaderAreaBytes);
  const view = new DataView(area.buffer);
  area.set(magic);
  view.setUint16(8, formatVersion, true);
  view.setUint16(10, header.durability === 'memory' ? memoryFlag : 0, true);
  view.setBigUint64(12, BigInt(header.segment), true);
  area.set(header.salt, 20);
  view.setBigUint64(36, BigInt(header.previousSegment), true);
  view.setBigUint64(44, BigInt(header.previousEnd), true);
  view.setBigUint64(52, BigInt(Math.floor(header.created)), true);
  view.setUint32(60, crc32(area.subarray(0, 60)), true);
  area.copyWithin(copyAt[1]!, 0, headerBytes);
  return area;
}

/**
 * The header in the first bytes of a file, from whichever copy is whole; undefined when neither is. A whole copy that a
 * newer program wrote is `failed_precondition`: every version keeps the 64 bytes, the magic, the version and the checksum.
 */
export function decodeSegmentHeader(area: Uint8Array): SegmentHeader | undefined {
  for (const at of copyAt) {
    if (area.length < at + headerBytes) continue;
    const header = decodeCopy(area.subarray(at, at + headerBytes));
    if (header !== undefined) return header;
  }
  return undefined;
}

function decodeCopy(bytes: Uint8Array): SegmentHeader | undefined {
  if (magic.some((byte, i) => bytes[i] !== byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(60, true) !== crc32(bytes.subarray(0, 60))) return undefined;
  const version = view.getUint16(8, true);
  const flags = view.getUint16(10, true);
  if (version !== formatVersion || (flags & ~memoryFlag) !== 0) {
    const found = `version ${version} with flags ${flags}`;
    throw new CairnError(
      'failed_precondition',
      `a log segment has format ${found}; this program reads ${formatVersion}`,
    );
  }
  return {
    segment: Number(view.getBigUint64(12, true)),
    salt: bytes.slice(20, 20 + saltBytes),
    previousSegment: Number(view.getBigUint64(36, true)),
    previousEnd: Number(view.getBigUint64(44, true)),
    durability: (flags & memoryFlag) !== 0 ? 'memory' : 'disk',
    created: Number(view.getBigUint64(52, true)),
  };
}
