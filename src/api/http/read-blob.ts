// GET and HEAD of one blob: whole, conditional, or in parts. HEAD never looks at Range, which is defined for GET alone.

import type { BlobHandle, BlobStore } from '../../base/blob-store.js';
import { type BlobHash, formatHash, parseHash } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import { type Random, uniqueName } from '../../base/random.js';
import type { ByteRange } from '../../base/range.js';
import type { Part } from '../read-ahead.js';
import { contentRange, parseByteRanges, unsatisfiedRange } from './byte-ranges.js';
import { allowsRange, blobTag, checkConditions } from './conditions.js';
import type { AnswerHeaders, Exchange } from './exchange.js';
import { partBytes, sendBlob } from './send-blob.js';

export interface ReadBlobParts {
  readonly store: BlobStore;
  /** Makes the boundaries between the parts of an answer. */
  readonly random: Random;
}

const blobType = 'application/octet-stream';

export async function readBlob({ store, random }: ReadBlobParts, exchange: Exchange, name: string): Promise<void> {
  const hash = parseHash(name);
  const tag = blobTag(hash);
  if (exchange.method === 'HEAD') {
    const [stat] = await store.stat([hash]);
    if (stat === undefined) throw noSuchBlob(hash);
    if (answerByCondition(exchange, tag)) return;
    exchange.answer(200, { ...blobHeaders(tag), 'content-type': blobType, 'content-length': stat.size });
    return;
  }
  const handle = await store.open(hash);
  if (handle === undefined) throw noSuchBlob(hash);
  try {
    if (!answerByCondition(exchange, tag)) await sendParts(exchange, handle, tag, random);
  } finally {
    await handle.close();
  }
}

/** Sent with every answer about an existing blob, 304 included. */
function blobHeaders(tag: string): AnswerHeaders {
  return {
    etag: tag,
    'cache-control': 'public, max-age=31536000, immutable',
    'accept-ranges': 'bytes',
    // Whatever the bytes look like to a browser, they are nobody's script.
    'x-content-type-options': 'nosniff',
  };
}

function answerByCondition(exchange: Exchange, tag: string): boolean {
  const condition = checkConditions(exchange, tag);
  if (condition === 'failed') throw new CairnError('failed_precondition', `the blob's tag is ${tag}`);
  if (condition === 'not_modified') exchange.answer(304, blobHeaders(tag));
  return condition === 'not_modified';
}

async function sendParts(exchange: Exchange, handle: BlobHandle, tag: string, random: Random): Promise<void> {
  const { size } = handle.digest;
  const common = blobHeaders(tag);
  const ranges = requestedRanges(exchange, tag, size);
  if (ranges === 'unsatisfiable') return;
  if (ranges === undefined) {
    const headers = { ...common, 'content-type': blobType, 'content-length': size };
    await sendBlob(exchange, 200, headers, handle, [{ start: 0, end: size }]);
  } else if (ranges.length === 1) {
    const [range] = ranges as [ByteRange];
    const headers = {
      ...common,
      'content-type': blobType,
      'content-length': partBytes(range),
      'content-range': contentRange(range, size),
    };
    await sendBlob(exchange, 206, headers, handle, [range]);
  } else {
    const boundary = uniqueName(random);
    const parts = multipart(ranges, size, boundary);
    const length = parts.reduce((sum, part) => sum + partBytes(part), 0);
    const type = `multipart/byteranges; boundary=${boundary}`;
    await sendBlob(exchange, 206, { ...common, 'content-type': type, 'content-length': length }, handle, parts);
  }
}

/** Undefined: the whole blob. Answers by itself when there is no such part. */
function requestedRanges(exchange: Exchange, tag: string, size: number): ByteRange[] | 'unsatisfiable' | undefined {
  const header = exchange.header('range');
  if (header === undefined || !allowsRange(exchange, tag)) return undefined;
  try {
    return parseByteRanges(header, size);
  } catch (error) {
    exchange.answerError(error, { 'content-range': unsatisfiedRange(size), 'accept-ranges': 'bytes' });
    return 'unsatisfiable';
  }
}

/** The body of RFC 9110 section 14.6: every range behind a header of its own. */
function multipart(ranges: readonly ByteRange[], size: number, boundary: string): Part[] {
  const parts = ranges.flatMap((range, i): Part[] => {
    const lines = [`--${boundary}`, `content-type: ${blobType}`, `content-range: ${contentRange(range, size)}`, '', ''];
    return [Buffer.from((i === 0 ? '' : '\r\n') + lines.join('\r\n')), range];
  });
  return [...parts, Buffer.from(`\r\n--${boundary}--\r\n`)];
}

function noSuchBlob(hash: BlobHash): CairnError {
  return new CairnError('not_found', `there is no blob ${formatHash(hash)}`);
}
