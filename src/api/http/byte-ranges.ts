// The Range header (RFC 9110 section 14.2), resolved against a blob.

import parseRange from 'range-parser';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { ByteRange } from '../../base/range.js';

/**
 * The parts a client asked for: disjoint, not adjacent, not empty, in the order it asked; overlapping and touching ones
 * are merged. Undefined when the header is to be ignored: another unit, not understood, or an empty blob, of which no
 * part exists. `out_of_range` when no part lies inside the blob or there are too many.
 */
export function parseByteRanges(header: string, size: number): ByteRange[] | undefined {
  if (size === 0) return undefined;
  // Most ask for one range that lies inside, and need no parser.
  const [, first, last] = plainRange.exec(header) ?? [];
  const [start, end] = [Number(first), Number(last) + 1];
  if (start < end && end <= size) return [{ start, end }];
  // The parser takes a suffix longer than the blob for unsatisfiable; the standard means all of it.
  const clamped = header.replace(/(?<==|,)\s*-\s*(\d+)/g, (_, bytes: string) => `-${Math.min(Number(bytes), size)}`);
  const ranges = parseRange(size, clamped, { combine: true });
  if (ranges === -2) return undefined;
  if (ranges === -1) {
    if (!isBytes(header)) return undefined;
    throw new CairnError('out_of_range', `no part of ${header} lies inside the blob of ${size} bytes`);
  }
  if (!isBytes(ranges.type)) return undefined;
  if (ranges.length > limits.rangesPerRequestCountMax) {
    throw new CairnError('out_of_range', `one request takes at most ${limits.rangesPerRequestCountMax} ranges`);
  }
  return ranges.map(({ start, end }) => ({ start, end: end + 1 }));
}

/** Up to what a number holds exactly. */
const plainRange = /^bytes=(\d{1,15})-(\d{1,15})$/;

function isBytes(unit: string): boolean {
  return /^\s*bytes\s*(=|$)/i.test(unit);
}

/** `Content-Range` of one part. */
export function contentRange({ start, end }: ByteRange, size: number): string {
  return `bytes ${start}-${end - 1}/${size}`;
}

/** `Content-Range` of a refusal: which ranges there would be. */
export function unsatisfiedRange(size: number): string {
  return `bytes */${size}`;
}
