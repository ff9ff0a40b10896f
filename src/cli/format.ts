// Numbers and digests as people read and type them.

import type { Digest } from '../base/digest.js';
import { formatHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** `blake3:<hex> <size>` */
export function formatDigest(digest: Digest): string {
  return `${formatHash(digest.hash)} ${digest.size}`;
}

export function digestJson(digest: Digest): { digest: string; size: number } {
  return { digest: formatHash(digest.hash), size: digest.size };
}

/** A whole number that is not negative; `invalid_argument` otherwise. */
export function parseCount(text: string, what: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) {
    throw new CairnError('invalid_argument', `${what} ${JSON.stringify(text)} is no whole number`);
  }
  return value;
}

/** A number with what it counts. */
export function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** A path, or what else somebody has named, as it is; in quotes, as JSON has it, when something in it could be taken for more. */
export function formatPath(path: string): string {
  return /^"|[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(path) ? JSON.stringify(path) : path;
}
