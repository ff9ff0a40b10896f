// BlobService.BatchRead on the lane: the digests are read where they lie, and the blobs into their places in the answer.
// Questions that have not the ordinary form, and answers in which something failed, go through the generated code.

import { create, toBinary } from '@bufbuild/protobuf';
import { CairnError } from '../../../base/errors.js';
import { limits } from '../../../base/limits.js';
import { BatchReadRequestSchema, BatchReadResponseSchema } from '../../../gen/cairn/v1/blob_service_pb.js';
import { DigestSchema } from '../../../gen/zako/v1/digest/digest_pb.js';
import {
  type BatchReadParts,
  batchRead,
  batchReadAnswer,
  planBatch,
  type ReadItem,
  readPlanned,
} from '../batch-read.js';
import { toDigestMessage } from '../digest-message.js';
import { refuseTooMany } from '../missing-digests.js';
import { layOutBatchRead } from './batch-read-wire.js';
import { DigestList } from './digest-list.js';
import { encodeEnvelope } from './envelope.js';
import type { LaneCall } from './lane-call.js';
import { messageReader, type RequestMessages } from './request-messages.js';

const readRequest = messageReader(BatchReadRequestSchema);

/** Returns the answer's bytes. */
export async function laneBatchRead(
  parts: BatchReadParts,
  call: LaneCall,
  messages: RequestMessages,
): Promise<readonly Uint8Array[]> {
  const read = (bytes: Uint8Array) => DigestList.parse(bytes) ?? readRequest(bytes);
  const request = await messages.only('unary', read, () => call.noteProgress());
  try {
    if (request instanceof DigestList) return [await readBlobs(parts, request, call)];
    return [encodeAnswer(await batchRead(parts, request, call.batch))];
  } finally {
    messages.release();
  }
}

async function readBlobs(parts: BatchReadParts, list: DigestList, call: LaneCall): Promise<Uint8Array> {
  refuseTooMany(list.count, limits.batchItemsCountMax, 'digests');
  const asked = Array.from({ length: list.count }, (_, index) => list.at(index));
  const plan = await planBatch(parts, asked, call.batch);
  const areAllThere = plan.every((item) => !(item instanceof CairnError));
  const laidOut = areAllThere ? layOutBatchRead(asked) : undefined;
  const outcomes = await readPlanned(parts, plan, call.batch, laidOut?.rooms);
  if (laidOut !== undefined && outcomes.every((outcome) => outcome instanceof Uint8Array)) return laidOut.frame;
  const digests = asked.map((digest) => create(DigestSchema, toDigestMessage(digest)));
  return encodeAnswer(batchReadAnswer(digests, outcomes));
}

function encodeAnswer(answer: { readonly items: ReadItem[] }): Uint8Array {
  return encodeEnvelope(0, toBinary(BatchReadResponseSchema, create(BatchReadResponseSchema, answer)));
}
