// The hand-made encoding against the generated code, in both directions.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { toDigest } from '../../src/base/digest.js';
import { frameHeaderBytes } from '../../src/base/message-frame.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import {
  decodeBatchAnswers,
  decodeDigests,
  decodeTransportDetails,
  decodeTreeCheck,
  encodeBytes,
  encodeDigests,
} from '../../src/client/message.js';
import { encodeDigest } from '../../src/client/wire.js';
import { BatchWriteResponseSchema } from '../../src/gen/cairn/v1/blob_service_pb.js';
import { CheckTreeRequestSchema, CheckTreeResponseSchema } from '../../src/gen/cairn/v1/tree_service_pb.js';
import {
  NegotiateBlobsRequestSchema,
  NegotiateBlobsResponseSchema,
  TransportDetailsSchema,
} from '../../src/gen/zako/v1/cas/cas_pb.js';

const blobs = [0, 1, 127, 128, 5000, 16_383, 16_384, 65_536].map((size) => {
  const bytes = new Uint8Array(size).fill(size % 251);
  return { digest: digestBlob(bytes), bytes };
});
const sizes = [0, 127, 128, 2 ** 31, 2 ** 32 + 1, 2 ** 40, Number.MAX_SAFE_INTEGER];
const digests = sizes.map((size, i) => toDigest(blobs[i]!.digest.hash, size));

/** The message in a frame, whose header must be right. */
function messageIn(frame: Uint8Array): Uint8Array {
  expect(frame[0]).toBe(0);
  expect(new DataView(frame.buffer).getUint32(1)).toBe(frame.length - frameHeaderBytes);
  return frame.subarray(frameHeaderBytes);
}

describe('requests', () => {
  it('name digests of every size', () => {
    const { blobDigests } = fromBinary(NegotiateBlobsRequestSchema, messageIn(encodeDigests(digests)));
    expect(blobDigests).toMatchObject(digests.map(encodeDigest));
    expect(messageIn(encodeDigests([]))).toHaveLength(0);
  });

  it('hold a tree', () => {
    const { hash } = digests[0]!;
    expect(fromBinary(CheckTreeRequestSchema, messageIn(encodeBytes(hash))).tree).toEqual(hash);
  });
});

describe('answers', () => {
  it('name missing digests', () => {
    const answer = create(NegotiateBlobsResponseSchema, { missingBlobDigests: digests.map(encodeDigest) });
    expect(decodeDigests(toBinary(NegotiateBlobsResponseSchema, answer))).toEqual(digests);
  });

  it('tell how each item fared', () => {
    const items = [
      { digest: encodeDigest(digests[4]!), existed: true },
      { status: { code: 8, message: 'no space – none' } },
      {},
      { status: {} },
    ];
    expect(decodeBatchAnswers(toBinary(BatchWriteResponseSchema, create(BatchWriteResponseSchema, { items })))).toEqual(
      [
        { existed: true, code: 0, message: '' },
        { existed: false, code: 8, message: 'no space – none' },
        { existed: false, code: 0, message: '' },
        { existed: false, code: 0, message: '' },
      ],
    );
  });

  it('tell of trees and transports, passing over what is not asked for', () => {
    const check = create(CheckTreeResponseSchema, { complete: true, missing: digests.map(encodeDigest) });
    expect(decodeTreeCheck(toBinary(CheckTreeResponseSchema, check))).toEqual({ complete: true, missing: digests });
    const details = { serverAddr: {}, authToken: 'a-token', recommendedConcurrency: 300 };
    const message = toBinary(TransportDetailsSchema, create(TransportDetailsSchema, details));
    expect(decodeTransportDetails(message)).toEqual({ authToken: 'a-token', recommendedConcurrency: 300 });
  });

  it('are refused when they are cut off', () => {
    const answer = create(NegotiateBlobsResponseSchema, { missingBlobDigests: digests.map(encodeDigest) });
    const message = toBinary(NegotiateBlobsResponseSchema, answer);
    for (const end of [1, 2, 20, message.length - 1]) {
      expect(() => decodeDigests(message.subarray(0, end))).toThrow(expect.objectContaining({ name: 'CairnError' }));
    }
  });
});
