import { create, toBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { ChunkPrefix } from '../../../../src/api/rpc/lane/chunk-prefix.js';
import { UploadRequestSchema } from '../../../../src/gen/zako/v1/transport/transport_pb.js';
import { chunkMessage, freshBlob, metadataMessage } from '../../../conformance/wire-blobs.js';

/** What a message's first bytes tell, and how many of them it took. */
function told(message: Uint8Array): { isChunk: boolean | undefined; taken: number } {
  const prefix = new ChunkPrefix();
  for (let at = 0; at < message.length; at++) {
    const isChunk = prefix.take(message[at]!, message.length - at - 1);
    expect(prefix.bytes).toEqual(message.slice(0, at + 1));
    if (isChunk !== undefined) return { isChunk, taken: at + 1 };
  }
  return { isChunk: undefined, taken: message.length };
}

const encode = (message: ReturnType<typeof metadataMessage>) =>
  new Uint8Array(toBinary(UploadRequestSchema, create(UploadRequestSchema, message)));

it.each([
  { bytes: 0, taken: 2 },
  { bytes: 127, taken: 2 },
  { bytes: 128, taken: 3 },
  { bytes: 16_384, taken: 4 },
  { bytes: 2_097_152, taken: 5 },
])('knows a chunk of $bytes bytes by its first $taken', ({ bytes, taken }) => {
  expect(told(encode(chunkMessage(new Uint8Array(bytes))))).toEqual({ isChunk: true, taken });
});

it.each([
  { name: 'metadata', message: encode(metadataMessage(freshBlob(10).message)) },
  { name: 'a chunk with a field behind it', message: Uint8Array.of(0x12, 1, 7, 0xa0, 6, 1) },
  { name: 'a chunk that ends early', message: Uint8Array.of(0x12, 9, 7) },
  { name: 'a length with a needless byte', message: Uint8Array.of(0x12, 0x81, 0x80, 0x80, 0x80, 0x00, 7) },
  { name: 'a tag alone', message: Uint8Array.of(0x12) },
  { name: 'a length without an end', message: Uint8Array.of(0x12, 0x80) },
])('$name is for the decoder', ({ message }) => {
  expect(told(message).isChunk).toBe(false);
});
