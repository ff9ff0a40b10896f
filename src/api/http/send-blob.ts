// Streams parts of an open blob into an answer: one piece is being taken by the client while the next is read, and no
// more are held. The head must be known before the first byte, but is sent only when the first piece has been read and
// verified, so that damage found there is still a proper error.

import type { BlobHandle } from '../../base/blob-store.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { ByteRange } from '../../base/range.js';
import type { AnswerHeaders, Exchange } from './exchange.js';

/** Bytes to send as they are, or a range of the blob. */
export type Part = Uint8Array | ByteRange;

export function partBytes(part: Part): number {
  return part instanceof Uint8Array ? part.length : part.end - part.start;
}

/** Sends the head and all parts. Returns early when the client goes away; the handle stays the caller's. */
export async function sendBlob(
  exchange: Exchange,
  status: number,
  headers: AnswerHeaders,
  handle: BlobHandle,
  parts: readonly Part[],
): Promise<void> {
  const { response } = exchange;
  let headSent = false;
  for await (const piece of readAhead(handle, parts, exchange.signal)) {
    if (exchange.signal.aborted) return;
    if (!headSent) response.writeHead(status, headers);
    headSent = true;
    exchange.bytesOut += piece.length;
    if (!response.write(piece)) await drained(exchange);
  }
  if (exchange.signal.aborted) return;
  if (!headSent) response.writeHead(status, headers);
  response.end();
}

/** The parts' bytes, the next piece being read while one is out. All reads have ended when this ends. */
async function* readAhead(handle: BlobHandle, parts: readonly Part[], signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const pieces = cut(parts);
  const readNext = (): Promise<Uint8Array> | undefined => {
    const next = pieces.next();
    if (next.done) return undefined;
    const reading = next.value instanceof Uint8Array ? Promise.resolve(next.value) : handle.read(next.value);
    // Nobody may be waiting yet when it fails; whoever waits then still learns of it.
    reading.catch(() => {});
    return reading;
  };
  let ahead = readNext();
  try {
    while (ahead !== undefined) {
      const piece = await ahead;
      ahead = signal.aborted ? undefined : readNext();
      yield piece;
    }
  } finally {
    await ahead?.catch(() => {});
  }
}

/** Ranges cut into reads that start small, so that a reader who takes little makes us hold little. */
function* cut(parts: readonly Part[]): Generator<Part> {
  let readBytes: number = limits.firstReadBytes;
  for (const part of parts) {
    if (part instanceof Uint8Array) {
      yield part;
      continue;
    }
    for (let start = part.start; start < part.end; ) {
      const end = Math.min(start + readBytes, part.end);
      yield { start, end };
      start = end;
      readBytes = Math.min(readBytes * 2, limits.readBytesMax);
    }
  }
}

/** Resolves when the client has taken what was written, or is gone. `timeout` when it takes nothing for too long. */
function drained(exchange: Exchange): Promise<void> {
  const { response, signal, clock } = exchange;
  return new Promise((resolve, reject) => {
    const settle = (how: () => void) => () => {
      cancelTimeout();
      response.off('drain', goOn);
      signal.removeEventListener('abort', goOn);
      how();
    };
    const goOn = settle(resolve);
    const giveUp = settle(() => reject(new CairnError('timeout', 'the download stalled')));
    const cancelTimeout = clock.after(limits.stalledBodyMillisecondsMax, giveUp);
    response.once('drain', goOn);
    signal.addEventListener('abort', goOn);
    if (signal.aborted) goOn();
  });
}
