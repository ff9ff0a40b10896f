// PUT, POST and DELETE of blobs. PUT names the bytes it sends and may be repeated; POST learns their name. A body that
// is not what it should be stores nothing.

import type { BlobStore } from '../../base/blob-store.js';
import { type Digest, formatHash, hashHex, parseHash, toDigest } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import { readBatches } from './body-batches.js';
import { blobTag, checkConditions } from './conditions.js';
import type { Exchange } from './exchange.js';
import { consume, declaredBytes, verifiedBody } from './request-body.js';

/** 201 when the blob is new, 200 when it was there. Bytes other than the name says are `digest_mismatch`. */
export async function putBlob(store: BlobStore, exchange: Exchange, name: string): Promise<void> {
  const hash = parseHash(name);
  const declared = declaredBytes(exchange);
  refuseOtherThanWholeBlobs(exchange);
  const [stat] = await store.stat([hash]);
  if (checkConditions(exchange, stat && blobTag(hash)) !== 'met') {
    throw new CairnError('failed_precondition', stat ? 'the blob exists' : 'there is no such blob');
  }
  if (stat !== undefined) {
    if (declared !== undefined && declared !== stat.size) {
      throw new CairnError('digest_mismatch', `the blob has ${stat.size} bytes, and ${declared} were announced`);
    }
    // Who waits for permission to send is spared it. Others are sending already: their bytes are checked, not stored.
    if (!exchange.expectsContinue) await consume(verifiedBody(readBatches(exchange, declared), hash, stat.size));
    answerWritten(exchange, toDigest(hash, stat.size), true);
    return;
  }
  const body = readBatches(exchange, declared);
  const { signal } = exchange;
  const { digest, existed } =
    declared === undefined
      ? await store.write(verifiedBody(body, hash, undefined), { signal })
      : await store.write(body, { signal, expect: toDigest(hash, declared) });
  answerWritten(exchange, digest, existed);
}

/** 201 when the blob is new, 200 when it was there; either way its place and digest. */
export async function postBlob(store: BlobStore, exchange: Exchange): Promise<void> {
  const declared = declaredBytes(exchange);
  refuseOtherThanWholeBlobs(exchange);
  const { digest, existed } = await store.write(readBatches(exchange, declared), { signal: exchange.signal });
  answerWritten(exchange, digest, existed);
}

export async function deleteBlob(store: BlobStore, exchange: Exchange, name: string): Promise<void> {
  const hash = parseHash(name);
  const [stat] = await store.stat([hash]);
  if (checkConditions(exchange, stat && blobTag(hash)) !== 'met') {
    throw new CairnError('failed_precondition', stat ? 'the blob exists' : 'there is no such blob');
  }
  const [existed] = await store.delete([hash]);
  if (!existed) throw new CairnError('not_found', `there is no blob ${formatHash(hash)}`);
  exchange.answer(204, {});
}

function answerWritten(exchange: Exchange, { hash, size }: Digest, existed: boolean): void {
  const headers = { etag: blobTag(hash), location: `/blobs/${hashHex(hash)}` };
  exchange.answerJson(existed ? 200 : 201, { digest: formatHash(hash), size }, headers);
}

/** A part of a blob, or its compressed form, has another digest than the blob. */
function refuseOtherThanWholeBlobs(exchange: Exchange): void {
  for (const name of ['content-range', 'content-encoding']) {
    const value = exchange.header(name);
    if (value !== undefined && value !== 'identity') {
      throw new CairnError('invalid_argument', `${name} is not supported: send the whole blob as it is`);
    }
  }
}
