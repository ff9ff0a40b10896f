// Transport.Upload: what the blob is, then its bytes. Nothing becomes visible unless all of it arrived and is what the
// metadata said.

import type { HandlerContext } from '@connectrpc/connect';
import type { BlobStore } from '../../base/blob-store.js';
import { type Digest, formatHash } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { UploadRequest } from '../../gen/zako/v1/transport/transport_pb.js';
import { fromDigestMessage } from './digest-message.js';
import { untilAborted } from './until-aborted.js';

/**
 * `already_exists` before any chunk is read when the blob is there already, the empty one excepted; who loses a race to
 * another upload succeeds. The signal ends the write.
 */
export async function upload(
  store: BlobStore,
  requests: AsyncIterable<UploadRequest>,
  { signal }: Pick<HandlerContext, 'signal'>,
): Promise<{ committedSize: bigint }> {
  const messages = untilAborted(requests, signal);
  const first = await messages.next();
  const digest = declaredDigest(first.done ? undefined : first.value);
  return writeUpload(store, digest, new UploadChunks(messages, digest), signal);
}

/** The chunks of an upload, and what was wrong with the messages, or with the connection they came on. */
export interface ChunkSource extends AsyncIterable<Uint8Array> {
  readonly failure: unknown;
}

export async function writeUpload(
  store: BlobStore,
  digest: Digest,
  chunks: ChunkSource,
  signal: AbortSignal,
): Promise<{ committedSize: bigint }> {
  await refuseWhenPresent(store, digest);
  try {
    await store.write(chunks, { expect: digest, signal });
  } catch (error) {
    // The caller's own mistake tells more than how the store took it.
    throw chunks.failure ?? error;
  }
  return { committedSize: BigInt(digest.size) };
}

/** What the first message says is coming; undefined when there was none. */
export function declaredDigest(first: UploadRequest | undefined): Digest {
  if (first?.payload.case !== 'metadata') {
    throw new CairnError('failed_precondition', 'the first message of an upload must be its metadata');
  }
  const { digest: message, range } = first.payload.value;
  const digest = fromDigestMessage(message);
  if (digest.size > limits.blobBytesMax) {
    throw new CairnError('too_large', `a blob has at most ${limits.blobBytesMax} bytes`);
  }
  const whole =
    range === undefined || (range.start === 0n && (range.length ?? message?.sizeBytes) === message?.sizeBytes);
  if (!whole) throw new CairnError('invalid_argument', 'blobs are uploaded whole, not by ranges');
  return digest;
}

async function refuseWhenPresent(store: BlobStore, { hash, size }: Digest): Promise<void> {
  const [present] = await store.stat([hash]);
  if (present === undefined) return;
  if (present.size !== size) {
    throw new CairnError('digest_mismatch', `${formatHash(hash)} has ${present.size} bytes, not ${size}`);
  }
  if (size > 0) throw new CairnError('already_exists', `${formatHash(hash)} is stored already`);
}

/** The bytes of the chunks, no more than were declared. Ending it early does not wait for the caller's next message. */
class UploadChunks implements AsyncIterableIterator<Uint8Array, undefined>, ChunkSource {
  failure: unknown;
  readonly #messages: AsyncIterableIterator<UploadRequest, undefined>;
  readonly #digest: Digest;
  #receivedBytes = 0;

  constructor(messages: AsyncIterableIterator<UploadRequest, undefined>, digest: Digest) {
    this.#messages = messages;
    this.#digest = digest;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    try {
      const step = await this.#messages.next();
      return step.done ? step : { done: false, value: this.#chunkOf(step.value) };
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    await this.#messages.return?.();
    return { done: true, value: undefined };
  }

  #chunkOf(request: UploadRequest): Uint8Array {
    const chunk = chunkOf(request);
    this.#receivedBytes += chunk.length;
    refuseExcess(this.#digest, this.#receivedBytes);
    return chunk;
  }
}

export function chunkOf({ payload }: UploadRequest): Uint8Array {
  if (payload.case === 'chunk') return payload.value;
  const what = payload.case === 'metadata' ? 'a second metadata' : 'a message without payload';
  throw new CairnError('invalid_argument', `${what} in an upload, where only chunks may follow`);
}

/** `digest_mismatch` when more bytes have come than were declared. */
export function refuseExcess({ size }: Digest, receivedBytes: number): void {
  if (receivedBytes > size) throw new CairnError('digest_mismatch', `more bytes than the ${size} declared`);
}
