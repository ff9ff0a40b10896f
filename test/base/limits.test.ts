// Relations between limits that the code counts on, computed with the real schema where messages are meant.

import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { toDigest, toHash } from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import {
  BatchReadResponseSchema,
  BatchWriteRequestSchema,
  FindMissingRequestSchema,
  FindMissingResponseSchema,
  ListResponseSchema,
  StatResponseSchema,
} from '../../src/gen/cairn/v1/blob_service_pb.js';
import { NegotiateBlobsResponseSchema } from '../../src/gen/zako/v1/cas/cas_pb.js';
import { UploadRequestSchema } from '../../src/gen/zako/v1/transport/transport_pb.js';

/** The longest digest there is: the size is a varint. */
const digest = { sizeBytes: BigInt(limits.blobBytesMax), blake3: new Uint8Array(32).fill(0xff) };
const digests = (count: number) => Array.from({ length: count }, () => digest);

describe('every limit', () => {
  it.each(Object.entries(limits))('%s is a whole number above zero', (_, value) => {
    expect(Number.isSafeInteger(value)).toBe(true);
    expect(value).toBeGreaterThan(0);
  });
});

describe('answers that carry the most they may', () => {
  it('fit: all digests of a request are missing', () => {
    const all = digests(limits.digestsPerRequestCountMax);
    const negotiated = create(NegotiateBlobsResponseSchema, { missingBlobDigests: all });
    expect(toBinary(NegotiateBlobsResponseSchema, negotiated).length).toBeLessThanOrEqual(limits.answerBytesMax);
    const found = create(FindMissingResponseSchema, { missing: all });
    expect(toBinary(FindMissingResponseSchema, found).length).toBeLessThanOrEqual(limits.answerBytesMax);
  });

  it('fit: a digest of a size that no blob has, as it may be asked for', () => {
    const odd = { sizeBytes: BigInt(Number.MAX_SAFE_INTEGER), blake3: new Uint8Array(32) };
    const all = Array.from({ length: limits.digestsPerRequestCountMax }, () => odd);
    const found = create(FindMissingResponseSchema, { missing: all });
    expect(toBinary(FindMissingResponseSchema, found).length).toBeLessThanOrEqual(limits.answerBytesMax);
  });

  it('fit: the longest page of a list', () => {
    const page = create(ListResponseSchema, {
      digests: digests(limits.listPageCountMax),
      nextPageToken: 'x'.repeat(256),
      totalCount: 2n ** 62n,
    });
    expect(toBinary(ListResponseSchema, page).length).toBeLessThanOrEqual(limits.answerBytesMax);
  });

  it('fit: stats with a path each', () => {
    const item = { hash: digest.blake3, sizeBytes: digest.sizeBytes, localPath: `/${'x'.repeat(255)}` };
    const items = Array.from({ length: limits.batchItemsCountMax }, () => item);
    const answer = create(StatResponseSchema, { items });
    expect(toBinary(StatResponseSchema, answer).length).toBeLessThanOrEqual(limits.answerBytesMax);
  });

  it('fit: a batch that was refused item by item', () => {
    const item = { digest, status: { code: 8, message: 'x'.repeat(200) } };
    const items = Array.from({ length: limits.batchItemsCountMax }, () => item);
    const answer = create(BatchReadResponseSchema, { items });
    expect(toBinary(BatchReadResponseSchema, answer).length).toBeLessThanOrEqual(limits.answerBytesMax);
  });
});

describe('requests that carry the most they may', () => {
  it('fit: a chunk of 16 MiB', () => {
    const chunk = create(UploadRequestSchema, { payload: { case: 'chunk', value: new Uint8Array(16 * 2 ** 20) } });
    expect(toBinary(UploadRequestSchema, chunk).length).toBeLessThanOrEqual(limits.requestMessageBytesMax);
  });

  it('fit: all digests of a request', () => {
    const request = create(FindMissingRequestSchema, { digests: digests(limits.digestsPerRequestCountMax) });
    expect(toBinary(FindMissingRequestSchema, request).length).toBeLessThanOrEqual(limits.requestMessageBytesMax);
  });

  it("fit: a client's batch", () => {
    const size = limits.batchedBlobBytesMax;
    const full = Array.from({ length: limits.batchWriteBytesMax / size }, () => ({
      digest,
      data: new Uint8Array(size),
    }));
    const empty = Array.from({ length: limits.batchItemsCountMax - full.length }, () => ({ digest }));
    const request = create(BatchWriteRequestSchema, { items: [...full, ...empty] });
    expect(toBinary(BatchWriteRequestSchema, request).length).toBeLessThanOrEqual(limits.requestMessageBytesMax);
  });
});

describe('relations', () => {
  it('hold between blobs, blocks and reads', () => {
    expect(limits.readBytesMax % limits.blockBytes).toBe(0);
    expect(limits.packedBlobBytesMax).toBeLessThanOrEqual(limits.readBytesMax);
    expect(limits.packedBlobBytesMax).toBeLessThanOrEqual(limits.groupCommitBytesMax);
    expect(limits.groupCommitBytesMax).toBeLessThanOrEqual(limits.appendQueueBytesMax);
    expect(limits.groupCommitBytesMax).toBeLessThanOrEqual(limits.segmentBytesTarget);
    expect(limits.readBytesMax).toBeLessThan(limits.answerBytesMax);
    expect(() => toDigest(toHash(new Uint8Array(32)), limits.blobBytesMax)).not.toThrow();
  });

  it('hold between pages', () => {
    expect(limits.listPageCountDefault).toBeLessThanOrEqual(limits.listPageCountMax);
  });

  it('hold between client and server', () => {
    expect(limits.spoolBufferBytes).toBeGreaterThanOrEqual(limits.packedBlobBytesMax);
    expect(limits.negotiateCountMax).toBeLessThanOrEqual(limits.digestsPerRequestCountMax);
    expect(limits.batchReadBytesMax).toBeLessThan(limits.answerBytesMax);
    expect(limits.uploadChunkBytes).toBeLessThan(limits.requestMessageBytesMax);
  });
});
