// Streams pieces of bytes, of an open blob or others, into an answer as fast as the client takes them. The head must be
// known before the first byte, but is sent only when the first piece has been read and verified, so that damage found there
// is still a proper error.

import type { BlobHandle } from '../../base/blob-store.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { type Part, ReadAhead } from '../read-ahead.js';
import type { AnswerHeaders, Exchange } from './exchange.js';

export function partBytes(part: Part): number {
  return part instanceof Uint8Array ? part.length : part.end - part.start;
}

/**
 * Sends the head and all parts; what is no more than a piece, with one read and one write. Returns early when the client goes
 * away; the handle stays the caller's.
 */
export async function sendBlob(
  exchange: Exchange,
  status: number,
  headers: AnswerHeaders,
  handle: BlobHandle,
  parts: readonly Part[],
): Promise<void> {
  const [range] = parts;
  if (parts.length === 1 && !(range instanceof Uint8Array) && partBytes(range!) <= limits.firstReadBytes) {
    const bytes = await handle.read(range!);
    if (!exchange.aborted) exchange.finishWith(status, headers, bytes);
    return;
  }
  const pieces = new ReadAhead(handle, parts, exchange, { ...exchange.memory, recycles: true });
  try {
    await sendPieces(exchange, status, headers, () => pieces.next());
  } finally {
    await pieces.settle();
  }
}

/** Sends the head and all pieces, until `next` answers undefined. Returns early when the client goes away. */
export async function sendPieces(
  exchange: Exchange,
  status: number,
  headers: AnswerHeaders,
  next: () => Promise<Uint8Array | undefined>,
): Promise<void> {
  const { response } = exchange;
  let piece = await next();
  if (exchange.aborted) return;
  response.writeHead(status, headers);
  while (piece !== undefined) {
    exchange.bytesOut += piece.length;
    if (!response.write(piece)) await drained(exchange);
    if (exchange.aborted) return;
    piece = await next();
    if (exchange.aborted) return;
  }
  response.end();
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
