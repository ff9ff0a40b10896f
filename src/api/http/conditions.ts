// Conditional requests (RFC 9110 section 13). A blob's entity tag is its digest in quotes, a strong one: the bytes
// behind it never change, and they are never sent encoded.

import isFresh from 'fresh';
import { type BlobHash, formatHash } from '../../base/digest.js';
import type { Exchange } from './exchange.js';

export function blobTag(hash: BlobHash): string {
  return `"${formatHash(hash)}"`;
}

export type Condition = 'met' | 'not_modified' | 'failed';

/** What If-Match and If-None-Match say to a blob that exists, or does not (undefined). */
export function checkConditions(exchange: Exchange, tag: string | undefined): Condition {
  const match = exchange.header('if-match');
  if (match !== undefined && !(tag !== undefined && (match.trim() === '*' || lists(match, tag)))) return 'failed';
  const noneMatch = exchange.header('if-none-match');
  if (tag === undefined || noneMatch === undefined) return 'met';
  const reads = exchange.method === 'GET' || exchange.method === 'HEAD';
  // Without cache-control: a reload may be answered with "not modified" here, since a blob cannot have been.
  if (!isFresh({ 'if-none-match': noneMatch }, { etag: tag })) return 'met';
  return reads ? 'not_modified' : 'failed';
}

/** May a Range header be honoured? If-Range compares strongly; there are no dates to compare with. */
export function allowsRange(exchange: Exchange, tag: string): boolean {
  const condition = exchange.header('if-range');
  return condition === undefined || condition.trim() === tag;
}

/** Strong comparison: a tag marked weak matches nothing. */
function lists(header: string, tag: string): boolean {
  return header.split(',').some((listed) => listed.trim() === tag);
}
