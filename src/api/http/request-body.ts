// The bytes of a request's body, and the ways it may not be what it should: cut off, stalled, too long, not the blob it
// was announced as. Reading ends with an error in each of these cases and never with a silent end, since a store takes
// the end of its source for the end of the blob.

import type { Http2ServerRequest } from 'node:http2';
import type { Clock } from '../../base/clock.js';
import type { BlobHash } from '../../base/digest.js';
import { formatHash, hashesEqual } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { createHasher } from '../../blake3/hasher.js';
import type { Exchange } from './exchange.js';

/** What `content-length` says; undefined when the client does not know yet. `too_large` beyond the largest blob. */
export function declaredBytes(exchange: Exchange): number | undefined {
  const text = exchange.header('content-length');
  if (text === undefined) return undefined;
  const bytes = Number(text);
  if (bytes > limits.blobBytesMax) {
    throw new CairnError('too_large', `a blob has at most ${limits.blobBytesMax} bytes, not ${text}`);
  }
  return bytes;
}

/** The body, as it comes. Asks a waiting client to begin. */
export async function* readBody(exchange: Exchange): AsyncGenerator<Uint8Array> {
  const { request, response, clock } = exchange;
  if (exchange.expectsContinue) response.writeContinue();
  // A reader that stops early must still be able to answer, so its leaving does not destroy the request.
  const pieces: AsyncIterator<Uint8Array> = request.iterator({ destroyOnReturn: false });
  let stalled = false;
  let received = 0;
  try {
    for (;;) {
      const piece = await nextPiece(pieces, clock);
      if (piece === 'stalled') {
        stalled = true;
        throw new CairnError('timeout', 'the upload stalled');
      }
      if (piece === undefined) break;
      received += piece.length;
      exchange.bytesIn += piece.length;
      if ('stream' in request) exchange.memory.windows?.moved(request.stream, received);
      if (received > limits.blobBytesMax) {
        throw new CairnError('too_large', `a blob has at most ${limits.blobBytesMax} bytes`);
      }
      yield piece;
    }
  } finally {
    // A stalled iterator would answer only after its piece.
    if (!stalled) await pieces.return?.();
  }
  // Node's HTTP/2 client ends a stream before it resets it: what came is not the whole then.
  if (brokeOff(request)) throw new CairnError('canceled', 'the upload broke off');
}

/** Undefined at the end. `canceled` when the sender is gone. */
function nextPiece(pieces: AsyncIterator<Uint8Array>, clock: Clock): Promise<Uint8Array | 'stalled' | undefined> {
  return new Promise((resolve, reject) => {
    const cancelTimeout = clock.after(limits.stalledBodyMillisecondsMax, () => resolve('stalled'));
    pieces
      .next()
      .then(
        (step) => resolve(step.done ? undefined : step.value),
        (cause: unknown) =>
          reject(cause instanceof CairnError ? cause : new CairnError('canceled', 'the upload broke off', { cause })),
      )
      .finally(cancelTimeout);
  });
}

/** Whether a request that has come to its end is not the whole of it. */
export function brokeOff(request: Exchange['request']): boolean {
  if (!('stream' in request)) return !request.complete;
  const { stream, aborted } = request as Http2ServerRequest;
  return aborted || stream === undefined || stream.aborted || stream.destroyed;
}

/** Passes a body through that must be this blob, and fails with `digest_mismatch` before its end when it is not. */
export async function* verifiedBody(
  body: AsyncIterable<Uint8Array>,
  hash: BlobHash,
  size: number | undefined,
): AsyncGenerator<Uint8Array> {
  const hasher = createHasher();
  let received = 0;
  let ended = false;
  try {
    for await (const piece of body) {
      received += piece.length;
      if (size !== undefined && received > size) {
        throw new CairnError('digest_mismatch', `the blob has ${size} bytes, and more were sent`);
      }
      hasher.update(piece);
      yield piece;
    }
    ended = true;
  } finally {
    if (!ended) hasher.discard();
  }
  const actual = hasher.digest();
  if (!hashesEqual(actual.hash, hash)) {
    throw new CairnError('digest_mismatch', `the bytes are ${formatHash(actual.hash)}, not ${formatHash(hash)}`);
  }
}

/** Reads to the end, for what reading it checks. */
export async function consume(body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _piece of body);
}
