// GET and HEAD of one blob, by its own name or another: whole, conditional, or in parts. HEAD never looks at Range, which is defined for GET alone.

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

/** How a blob is shown. */
export interface BlobView {
  readonly contentType: string;
  /** Sent with every answer about it beside those of all blobs. */
  readonly headers: AnswerHeaders;
  /** The size somebody claims for it; a blob of another size is not this one. */
  readonly size: number | undefined;
}

const plainView: BlobView = { contentType: 'application/octet-stream', headers: {}, size: undefined };

export async function readBlob(parts: ReadBlobParts, exchange: Exchange, name: string): Promise<void> {
  await serveBlob(parts, exchange, parseHash(name), plainView);
}

/** Answers GET and HEAD with a blob: whole, in parts, or "not modified". `not_found` when it is not here. */
export async function serveBlob(
  { store, random }: ReadBlobParts,
  exchange: Exchange,
  hash: BlobHash,
  view: BlobView,
): Promise<void> {
  const tag = blobTag(hash);
  const common = { ...immutableHeaders(tag), 'accept-ranges': 'bytes', ...view.headers };
  if (exchange.method === 'HEAD') {
    const [stat] = await store.stat([hash]);
    if (stat === undefined || !isSize(view, stat.size)) throw noSuchBlob(hash);
    if (answerByCondition(exchange, tag, common)) return;
    exchange.answer(200, { ...common, 'content-type': view.contentType, 'content-length': stat.size });
    return;
  }
  const handle = await store.open(hash);
  if (handle === undefined) throw noSuchBlob(hash);
  try {
    if (!isSize(view, handle.digest.size)) throw noSuchBlob(hash);
    if (answerByCondition(exchange, tag, common)) return;
    await sendParts(exchange, handle, { tag, common, contentType: view.contentType, random });
  } finally {
    await handle.close();
  }
}

function isSize(view: BlobView, size: number): boolean {
  return view.size === undefined || view.size === size;
}

/** For what its name says for ever. */
export function immutableHeaders(tag: string): AnswerHeaders {
  return {
    etag: tag,
    'cache-control': 'public, max-age=31536000, immutable',
    // Whatever the bytes look like to a browser, they are nobody's script.
    'x-content-type-options': 'nosniff',
  };
}

/** True when it was answered with "not modified". `failed_precondition` when the client asked for another tag alone. */
export function answerByCondition(exchange: Exchange, tag: string, headers: AnswerHeaders): boolean {
  const condition = checkConditions(exchange, tag);
  if (condition === 'failed') throw new CairnError('failed_precondition', `the tag is ${tag}`);
  if (condition === 'not_modified') exchange.answer(304, headers);
  return condition === 'not_modified';
}

interface Sending {
  readonly tag: string;
  /** Headers of every answer about this blob. */
  readonly common: AnswerHeaders;
  readonly contentType: string;
  readonly random: Random;
}

async function sendParts(exchange: Exchange, handle: BlobHandle, sending: Sending): Promise<void> {
  const { size } = handle.digest;
  const { tag, common, contentType, random } = sending;
  const ranges = requestedRanges(exchange, tag, size);
  if (ranges === 'unsatisfiable') return;
  if (ranges === undefined) {
    const headers = { ...common, 'content-type': contentType, 'content-length': size };
    await sendBlob(exchange, 200, headers, handle, [{ start: 0, end: size }]);
  } else if (ranges.length === 1) {
    const [range] = ranges as [ByteRange];
    const headers = {
      ...common,
      'content-type': contentType,
      'content-length': partBytes(range),
      'content-range': contentRange(range, size),
    };
    await sendBlob(exchange, 206, headers, handle, [range]);
  } else {
    const boundary = uniqueName(random);
    const parts = multipart(ranges, size, contentType, boundary);
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
function multipart(ranges: readonly ByteRange[], size: number, contentType: string, boundary: string): Part[] {
  const parts = ranges.flatMap((range, i): Part[] => {
    const lines = [
      `--${boundary}`,
      `content-type: ${contentType}`,
      `content-range: ${contentRange(range, size)}`,
      '',
      '',
    ];
    return [Buffer.from((i === 0 ? '' : '\r\n') + lines.join('\r\n')), range];
  });
  return [...parts, Buffer.from(`\r\n--${boundary}--\r\n`)];
}

function noSuchBlob(hash: BlobHash): CairnError {
  return new CairnError('not_found', `there is no blob ${formatHash(hash)}`);
}
