// Which blobs does the server lack?

import type { Digest } from '../base/digest.js';
import { limits } from '../base/limits.js';
import { toCairnError } from './error-codes.js';
import type { Call } from './grpc-session.js';
import { decodeDigests, encodeDigests } from './message.js';
import { inRunsOf } from './wire.js';

/** The missing ones in the order asked; each once within a batch of `negotiateCountMax`. */
export async function negotiate(
  call: Call,
  digests: readonly Digest[],
  signal: AbortSignal | undefined,
): Promise<Digest[]> {
  const missing: Digest[] = [];
  try {
    for (const run of inRunsOf(digests, limits.negotiateCountMax)) {
      const method = '/zako.v1.cas.ContentAddressableStorage/NegotiateBlobs';
      for (const digest of decodeDigests(await call(method, encodeDigests(run), signal))) missing.push(digest);
    }
  } catch (error) {
    throw toCairnError(error, signal);
  }
  return missing;
}
