// Blobs for the wire suites: each has bytes nobody else has, and knows its name on the wire.

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Digest } from '../../src/base/digest.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import type { DigestSchema } from '../../src/gen/zako/v1/digest/digest_pb.js';
import type { UploadRequestSchema } from '../../src/gen/zako/v1/transport/transport_pb.js';

export interface TestBlob {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly message: { readonly sizeBytes: bigint; readonly blake3: Uint8Array };
}

let made = 0;

/** A blob of so many bytes, 8 at least, or none at all. */
export function freshBlob(size: number): TestBlob {
  const bytes = new Uint8Array(size);
  let state = (++made * 2_654_435_761) >>> 0;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  if (size >= 8) new DataView(bytes.buffer).setFloat64(0, made);
  return namedBlob(bytes);
}

export function namedBlob(bytes: Uint8Array): TestBlob {
  const digest = digestBlob(bytes);
  return { bytes, digest, message: { sizeBytes: BigInt(digest.size), blake3: digest.hash } };
}

/** The messages of an upload: metadata, then chunks. */
export async function* uploadMessages(
  { bytes, message }: TestBlob,
  chunkBytes = 256 * 1024,
): AsyncGenerator<MessageInitShape<typeof UploadRequestSchema>> {
  yield metadataMessage(message);
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    yield chunkMessage(bytes.subarray(start, start + chunkBytes));
  }
}

export function metadataMessage(
  digest: MessageInitShape<typeof DigestSchema> | undefined,
  range?: { start: bigint; length?: bigint },
): MessageInitShape<typeof UploadRequestSchema> {
  return { payload: { case: 'metadata', value: { ...(digest && { digest }), ...(range && { range }) } } };
}

export function chunkMessage(bytes: Uint8Array): MessageInitShape<typeof UploadRequestSchema> {
  return { payload: { case: 'chunk', value: bytes } };
}

export async function* sequence<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
