// Many small blobs in one call, each with its own outcome.

import type { Client } from '@connectrpc/connect';
import type { Digest } from '../base/digest.js';
import { formatHash, hashesEqual } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { hashBytes } from '../blake3/hasher.js';
import type { BlobService } from '../gen/cairn/v1/blob_service_pb.js';
import type { BlobPack } from './blob-pack.js';
import { codeOfStatus, toCairnError } from './error-codes.js';
import type { Call } from './grpc-session.js';
import { decodeBatchAnswers } from './message.js';
import { encodeDigest } from './wire.js';

/** For each blob, in order: was it there before, or why it was not stored. Together at most `batchWriteBytesMax`. */
export async function batchWrite(
  call: Call,
  { digests, frame }: BlobPack,
  signal: AbortSignal | undefined,
): Promise<(boolean | CairnError)[]> {
  try {
    const answers = decodeBatchAnswers(await call('/cairn.v1.BlobService/BatchWrite', frame, signal));
    checkCount(answers.length, digests.length);
    return answers.map(({ existed, code: status, message }) => {
      const code = status === 0 ? undefined : codeOfStatus(status);
      if (code === undefined || code === 'already_exists') return existed || code !== undefined;
      // The digest is well formed, so what the server refuses is the bytes.
      return new CairnError(code === 'invalid_argument' ? 'digest_mismatch' : code, message);
    });
  } catch (error) {
    throw toCairnError(error, signal);
  }
}

/** Not in the answer because it was full; ask again. */
const deferred = Symbol('deferred');

/**
 * For each digest, in order: the verified bytes, or undefined when there is no such blob. `corrupt` when the bytes are
 * not those of the digest. No blob may be larger than `batchReadBytesMax`.
 */
export async function batchRead(
  service: Client<typeof BlobService>,
  digests: readonly Digest[],
  signal: AbortSignal | undefined,
): Promise<(Uint8Array | undefined)[]> {
  const found: (Uint8Array | undefined)[] = [];
  while (found.length < digests.length) {
    const asked = nextRun(digests, found.length);
    const answers = await readOnce(service, asked, signal);
    const full = answers.indexOf(deferred);
    if (full === 0) throw new CairnError('too_large', `${formatHash(asked[0]!.hash)} does not fit into a batch`);
    // What follows the first that did not fit is asked again with it, so that the order stays.
    for (const answer of full < 0 ? answers : answers.slice(0, full)) found.push(answer as Uint8Array | undefined);
  }
  return found;
}

/** As many digests from `start` as one answer can hold; one at least. */
function nextRun(digests: readonly Digest[], start: number): readonly Digest[] {
  let end = start;
  for (let bytes = 0; end < digests.length && end - start < limits.batchItemsCountMax; end++) {
    bytes += digests[end]!.size;
    if (bytes > limits.batchReadBytesMax && end > start) break;
  }
  return digests.slice(start, end);
}

async function readOnce(
  service: Client<typeof BlobService>,
  digests: readonly Digest[],
  signal: AbortSignal | undefined,
): Promise<(Uint8Array | undefined | typeof deferred)[]> {
  try {
    const answer = await service.batchRead({ digests: digests.map(encodeDigest) }, signal && { signal });
    checkCount(answer.items.length, digests.length);
    return answer.items.map(({ data, status }, i) => {
      const code = status?.code ? codeOfStatus(status.code) : undefined;
      if (code === undefined) return verified(digests[i]!, data);
      if (code === 'not_found') return undefined;
      if (code === codeOfStatus(8)) return deferred;
      throw new CairnError(code, status?.message ?? '');
    });
  } catch (error) {
    throw toCairnError(error, signal);
  }
}

function verified(digest: Digest, bytes: Uint8Array): Uint8Array {
  if (bytes.length === digest.size && hashesEqual(hashBytes(bytes), digest.hash)) return bytes;
  throw new CairnError('corrupt', `the server sent other bytes than ${formatHash(digest.hash)}`);
}

function checkCount(answers: number, asked: number): void {
  if (answers !== asked) throw new CairnError('internal', `the server answered ${answers} of ${asked} items`);
}
