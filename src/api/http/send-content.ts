// An answer with content that has a size and an entity tag, whole or in the parts that a client asks for (RFC 9110 sections
// 13 and 14). Whose bytes they are, and how they are read, is the caller's.

import { CairnError } from '../../base/errors.js';
import { type Random, uniqueName } from '../../base/random.js';
import type { ByteRange } from '../../base/range.js';
import type { Part } from '../read-ahead.js';
import { contentRange, parseByteRanges, unsatisfiedRange } from './byte-ranges.js';
import { allowsRange, checkConditions } from './conditions.js';
import type { AnswerHeaders, Exchange } from './exchange.js';
import { partBytes } from './send-blob.js';

export interface Content {
  readonly size: number;
  readonly tag: string;
  readonly contentType: string;
  /** Of every answer about it. */
  readonly headers: AnswerHeaders;
  /** Sends the head and the parts, one after the other. */
  send(status: number, headers: AnswerHeaders, parts: readonly Part[]): Promise<void>;
}

/** True when it was answered with "not modified". `failed_precondition` when the client asked for another tag alone. */
export function answerByCondition(exchange: Exchange, tag: string, headers: AnswerHeaders): boolean {
  const condition = checkConditions(exchange, tag);
  if (condition === 'failed') throw new CairnError('failed_precondition', `the tag is ${tag}`);
  if (condition === 'not_modified') exchange.answer(304, headers);
  return condition === 'not_modified';
}

/** Answers GET: whole, or 206 with what Range asks for, or 416. */
export async function sendContent(exchange: Exchange, random: Random, content: Content): Promise<void> {
  const { size, tag, contentType, headers, send } = content;
  const ranges = requestedRanges(exchange, tag, size);
  if (ranges === 'unsatisfiable') return;
  if (ranges === undefined) {
    const whole = { start: 0, end: size };
    await send(200, { 'content-type': contentType, 'content-length': size, ...headers }, [whole]);
  } else if (ranges.length === 1) {
    const [range] = ranges as [ByteRange];
    // The spread last: V8 then makes the object at once, and takes twenty times as long when names follow it.
    const ofRange = {
      'content-type': contentType,
      'content-length': partBytes(range),
      'content-range': contentRange(range, size),
      ...headers,
    };
    await send(206, ofRange, [range]);
  } else {
    const boundary = uniqueName(random);
    const parts = multipart(ranges, size, contentType, boundary);
    const length = parts.reduce((sum, part) => sum + partBytes(part), 0);
    const type = `multipart/byteranges; boundary=${boundary}`;
    await send(206, { ...headers, 'content-type': type, 'content-length': length }, parts);
  }
}

/** Undefined: all of it. Answers by itself when there is no such part. */
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
