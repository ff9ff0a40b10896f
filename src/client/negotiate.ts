// Which blobs does the server lack?

import type { Digest } from '../base/digest.js';
import { limits } from '../base/limits.js';
import { frameHeaderBytes } from '../base/message-frame.js';
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
      const question = encodeDigests(run);
      const answer = await call(method, question, signal);
      // An answer that repeats the question: all are missing, as they are in a first sync.
      const found = repeats(answer, question.subarray(frameHeaderBytes)) ? run : decodeDigests(answer);
      for (const digest of found) missing.push(digest);
    }
  } catch (error) {
    throw toCairnError(error, signal);
  }
  return missing;
}

function repeats(answer: Uint8Array, question: Uint8Array): boolean {
  return answer.length === question.length && answer.every((byte, i) => byte === question[i]);
}
