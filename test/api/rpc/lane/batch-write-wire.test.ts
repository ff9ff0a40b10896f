// BatchWrite's messages by hand against the generated code, a batch of more than two steps.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { batchStepCount, decodeBatchWrite, encodeBatchWritten } from '../../../../src/api/rpc/lane/batch-write-wire.js';
import { BatchWriteRequestSchema, BatchWriteResponseSchema } from '../../../../src/gen/cairn/v1/blob_service_pb.js';
import { seededRandom, testSeed } from '../../../support/random.js';

const random = seededRandom(testSeed('batch write wire'));

it('reads and answers a long batch in steps', async () => {
  const items = Array.from({ length: 2 * batchStepCount + 1 }, () => {
    const data = random.bytes(random.below(300));
    return { digest: { sizeBytes: BigInt(data.length), blake3: random.bytes(32) }, data };
  });
  let pauses = 0;
  const pause = async () => void pauses++;
  const message = toBinary(BatchWriteRequestSchema, create(BatchWriteRequestSchema, { items }));
  const blobs = (await decodeBatchWrite(message, pause))!;
  expect(pauses).toBe(2);
  expect(blobs.map(({ digest, bytes }) => [digest.size, Buffer.from(digest.hash), Buffer.from(bytes)])).toEqual(
    items.map(({ digest, data }) => [data.length, Buffer.from(digest.blake3), Buffer.from(data)]),
  );

  const existed = blobs.map((_, index) => index % 3 === 0);
  const frame = await encodeBatchWritten(blobs, existed, pause);
  expect(pauses).toBe(4);
  const answer = fromBinary(BatchWriteResponseSchema, frame.subarray(5));
  expect(answer.items.map((item) => [item.digest?.blake3, item.status?.code, item.existed])).toEqual(
    items.map(({ digest }, index) => [Uint8Array.from(digest.blake3), 0, existed[index]]),
  );
});
