// Which blobs does the server lack? All batches go through one NegotiateBlobs stream; it answers each in order.

import type { Client } from '@connectrpc/connect';
import type { Digest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { ContentAddressableStorage } from '../gen/zako/v1/cas/cas_pb.js';
import { toCairnError } from './error-codes.js';
import { decodeDigest, encodeDigest, inRunsOf } from './wire.js';

/** The missing ones in the order asked; each once within a batch of `negotiateCountMax`. */
export async function negotiate(
  cas: Client<typeof ContentAddressableStorage>,
  digests: readonly Digest[],
  signal: AbortSignal | undefined,
): Promise<Digest[]> {
  if (digests.length === 0) return [];
  async function* requests() {
    for (const run of inRunsOf(digests, limits.negotiateCountMax)) yield { blobDigests: run.map(encodeDigest) };
  }
  const missing: Digest[] = [];
  let answers = 0;
  try {
    for await (const answer of cas.negotiateBlobs(requests(), signal && { signal })) {
      answers++;
      for (const digest of answer.missingBlobDigests) missing.push(decodeDigest(digest));
    }
  } catch (error) {
    throw toCairnError(error, signal);
  }
  const batches = Math.ceil(digests.length / limits.negotiateCountMax);
  if (answers !== batches) {
    throw new CairnError('internal', `the server answered ${answers} of ${batches} questions for missing blobs`);
  }
  return missing;
}
