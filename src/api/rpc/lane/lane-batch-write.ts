// BlobService.BatchWrite on the lane: the blobs go to the store as they lie in the message, and the answer is written by
// hand. Messages that have not the ordinary form, and answers in which something failed, go through the generated code.

import { create, toBinary } from '@bufbuild/protobuf';
import type { BlobStore, NamedBlob } from '../../../base/blob-store.js';
import {
  BatchWriteRequestSchema,
  type BatchWriteResponse_Item,
  BatchWriteResponseSchema,
} from '../../../gen/cairn/v1/blob_service_pb.js';
import { DigestSchema } from '../../../gen/zako/v1/digest/digest_pb.js';
import { batchWrite, batchWritten, checkedBlob, refuseLargeBatch, writeBatch } from '../batch-write.js';
import { toDigestMessage } from '../digest-message.js';
import type { RpcParts } from '../rpc-parts.js';
import { batchStepCount, decodeBatchWrite, encodeBatchWritten } from './batch-write-wire.js';
import { encodeEnvelope } from './envelope.js';
import type { LaneCall } from './lane-call.js';
import { messageReader, type RequestMessages } from './request-messages.js';

const readRequest = messageReader(BatchWriteRequestSchema);

/** Returns the answer's bytes. */
export async function laneBatchWrite(
  { store, lookups }: Pick<RpcParts, 'store' | 'lookups'>,
  call: LaneCall,
  messages: RequestMessages,
): Promise<readonly Uint8Array[]> {
  // A blob costs about as much as a look-up does.
  const betweenSteps = () => lookups.take(batchStepCount);
  const read = async (bytes: Uint8Array) => (await decodeBatchWrite(bytes, betweenSteps)) ?? readRequest(bytes);
  const request = await messages.only('unary', read, () => call.noteProgress());
  try {
    if (Array.isArray(request)) return [await writeBlobs(store, request, call, betweenSteps)];
    return [encodeAnswer(await batchWrite(store, request, call.batch))];
  } finally {
    messages.release();
  }
}

async function writeBlobs(
  store: BlobStore,
  blobs: readonly NamedBlob[],
  call: LaneCall,
  betweenSteps: () => Promise<void> | undefined,
): Promise<Uint8Array> {
  refuseLargeBatch(
    blobs.length,
    blobs.reduce((sum, { bytes }) => sum + bytes.length, 0),
  );
  const outcomes = await writeBatch(store, blobs.map(checkedBlob), call.signal);
  if (outcomes.every((outcome) => typeof outcome === 'boolean')) {
    return encodeBatchWritten(blobs, outcomes, betweenSteps);
  }
  const digests = blobs.map(({ digest }) => create(DigestSchema, toDigestMessage(digest)));
  return encodeAnswer(batchWritten(digests, outcomes, call.errors));
}

function encodeAnswer(answer: { readonly items: BatchWriteResponse_Item[] }): Uint8Array {
  return encodeEnvelope(0, toBinary(BatchWriteResponseSchema, create(BatchWriteResponseSchema, answer)));
}
