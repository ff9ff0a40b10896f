// One blob to the server by a stream of chunks. That the server has it already is success.

import type { BlobSource } from '../base/blob-store.js';
import type { Digest } from '../base/digest.js';
import { formatHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { CallParts } from './call-parts.js';
import { toCairnError } from './error-codes.js';
import { encodeDigest, type WireDigest } from './wire.js';

type UploadMessage =
  | { payload: { case: 'metadata'; value: { digest: WireDigest } } }
  | { payload: { case: 'chunk'; value: Uint8Array } };

export interface UploadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told how many bytes more have been handed to the connection. */
  readonly onSent?: ((bytes: number) => void) | undefined;
}

/**
 * Resolves to whether the blob was there before. `digest_mismatch` when the bytes are not what the digest says; what
 * the source throws comes out as it is.
 */
export async function upload(
  parts: CallParts,
  digest: Digest,
  source: BlobSource,
  { signal, onSent }: UploadOptions,
): Promise<boolean> {
  const chunks = chunksOf(source);
  let sourceFailure: { readonly error: unknown } | undefined;
  async function* messages(): AsyncGenerator<UploadMessage> {
    yield { payload: { case: 'metadata', value: { digest: encodeDigest(digest) } } };
    for (;;) {
      const { done, value } = await chunks.next().catch((error: unknown) => {
        sourceFailure = { error };
        throw error;
      });
      if (done) return;
      yield { payload: { case: 'chunk', value } };
      onSent?.(value.length);
    }
  }
  try {
    const headers = await parts.lease.headers();
    const { committedSize } = await (await parts.client()).upload(messages(), { headers, ...(signal && { signal }) });
    if (committedSize !== BigInt(digest.size)) {
      throw new CairnError('internal', `the server stored ${committedSize} of ${digest.size} bytes`);
    }
    // The empty blob is always there, though its upload succeeds like a first one.
    return digest.size === 0;
  } catch (error) {
    // Not to be taken for a failure of the connection it was being sent over.
    if (sourceFailure !== undefined && !signal?.aborted) throw sourceFailure.error;
    const failure = toCairnError(error, signal);
    if (failure.code === 'already_exists') return true;
    if (failure.code !== 'invalid_argument') throw failure;
    // The request itself is well formed, so what the server refuses is the bytes.
    throw new CairnError('digest_mismatch', `${formatHash(digest.hash)}: ${failure.message}`, { cause: failure });
  } finally {
    // An early answer leaves the source in the middle; it may hold a file open.
    void chunks.return(undefined).catch(() => {});
  }
}

/** The source in pieces of at most `uploadChunkBytes`, none empty: the protocol has no empty chunk. */
async function* chunksOf(source: BlobSource): AsyncGenerator<Uint8Array> {
  for await (const piece of source instanceof Uint8Array ? [source] : source) {
    for (let start = 0; start < piece.length; start += limits.uploadChunkBytes) {
      yield piece.subarray(start, start + limits.uploadChunkBytes);
    }
  }
}
