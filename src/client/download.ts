// A blob, or a range of one, from the server. A connection that breaks is taken up again where the last byte arrived.
// A whole blob is hashed on the way and its last piece withheld until the digest is right, so whoever has seen the end
// has the blob. Of a range the length is checked; its bytes were checked against their checksums where they are stored,
// and nothing on this way can tie them to the digest.

import { sleep } from '../base/clock.js';
import { type Digest, formatHash, hashesEqual } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { ByteRange } from '../base/range.js';
import { createHasher } from '../blake3/hasher.js';
import type { CallParts } from './call-parts.js';
import { isBrokenConnection, toCairnError } from './error-codes.js';
import { retryPause } from './retry-pause.js';
import { encodeDigest } from './wire.js';

/** The range's bytes in order, in pieces of the sender's making. `corrupt` when they are not those of the digest. */
export async function* download(
  parts: CallParts,
  digest: Digest,
  range: ByteRange,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const pieces = resumed(parts, digest, range, signal);
  const whole = range.start === 0 && range.end === digest.size;
  if (!whole) {
    yield* pieces;
    return;
  }
  const hasher = createHasher();
  let ended = false;
  try {
    let withheld: Uint8Array | undefined;
    for await (const piece of pieces) {
      hasher.update(piece);
      if (withheld !== undefined) yield withheld;
      withheld = piece;
    }
    ended = true;
    if (!hashesEqual(hasher.digest().hash, digest.hash)) {
      throw new CairnError('corrupt', `the server sent other bytes than ${formatHash(digest.hash)}`);
    }
    if (withheld !== undefined) yield withheld;
  } finally {
    if (!ended) hasher.discard();
  }
}

async function* resumed(
  parts: CallParts,
  digest: Digest,
  range: ByteRange,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  let at = range.start;
  let attempts = 0;
  let tokenRenewed = false;
  let isAnswered = false;
  // A server that cannot be reached at all is reported at once; only what follows is worth repeating.
  await parts.lease.concurrency();
  // Answered once at least: that no byte of an absent blob was wanted does not make it present.
  while (at < range.end || (range.start === range.end && !isAnswered)) {
    try {
      for await (const piece of ask(parts, digest, { start: at, end: range.end }, signal)) {
        if (piece.length > range.end - at) throw new CairnError('corrupt', 'the server sent more bytes than asked for');
        at += piece.length;
        attempts = 0;
        yield piece;
      }
      isAnswered = true;
      if (at < range.end) throw new CairnError('corrupt', `the server sent ${range.end - at} bytes too few`);
    } catch (error) {
      const failure = toCairnError(error, signal);
      if (failure.code === 'unauthenticated' && !tokenRenewed) {
        tokenRenewed = true;
        parts.lease.forget();
        continue;
      }
      attempts++;
      if (!isBrokenConnection(failure) || attempts >= limits.downloadAttemptsCountMax) throw failure;
      const most = Math.min(limits.downloadRetryMillisecondsMin * 2 ** attempts, limits.downloadRetryMillisecondsMax);
      await sleep(parts.clock, retryPause(parts.random, most), signal);
    }
  }
}

async function* ask(
  parts: CallParts,
  digest: Digest,
  { start, end }: ByteRange,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const headers = await parts.lease.headers();
  const range = { start: BigInt(start), length: BigInt(end - start) };
  const metadata =
    start === 0 && end === digest.size ? { digest: encodeDigest(digest) } : { digest: encodeDigest(digest), range };
  // The call is ended with the loop over it: whoever stops early stops the server.
  const ended = new AbortController();
  const either = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
  try {
    const client = await parts.client();
    for await (const { data } of client.download({ metadata }, { headers, signal: either })) {
      if (data.length > 0) yield data;
    }
  } finally {
    ended.abort();
  }
}
