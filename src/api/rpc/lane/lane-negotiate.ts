// Which blobs are missing, on the lane, with answers made of their questions' own bytes. NegotiateBlobs: one answer for each
// question, in order; the next question is read when the answer to the one before has left. FindMissing: one of each. Their
// messages are the same on the wire: a list of digests in field 1.

import { create, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { NegotiateBlobsRequestSchema, NegotiateBlobsResponseSchema } from '../../../gen/zako/v1/cas/cas_pb.js';
import { missingDigests, missingIndexes } from '../missing-digests.js';
import type { RpcParts } from '../rpc-parts.js';
import { DigestList } from './digest-list.js';
import { encodeEnvelope } from './envelope.js';
import type { LaneCall } from './lane-call.js';
import { messageReader, type RequestMessages } from './request-messages.js';

type Parts = Pick<RpcParts, 'store' | 'negotiateConcurrency' | 'lookups'>;

const readRequest = messageReader(NegotiateBlobsRequestSchema);
/** What a step through a list of digests costs, in look-ups. */
const lookupsPerStep = 512;

/** Sends all answers itself. */
export async function laneNegotiate(
  parts: Parts,
  call: LaneCall,
  messages: RequestMessages,
): Promise<readonly Uint8Array[]> {
  for (;;) {
    const question = await messages.next((bytes) => readQuestion(parts, bytes));
    if (question === undefined) return [];
    call.noteProgress();
    await call.send([await answerTo(parts, question, call.signal)]);
    messages.release();
    call.throwIfAborted();
  }
}

/** Returns the answer's bytes. */
export async function laneFindMissing(
  parts: Parts,
  call: LaneCall,
  messages: RequestMessages,
): Promise<readonly Uint8Array[]> {
  const read = (bytes: Uint8Array) => readQuestion(parts, bytes);
  const question = await messages.only('unary', read, () => call.noteProgress());
  try {
    return [await answerTo(parts, question, call.signal)];
  } finally {
    messages.release();
  }
}

type Question = DigestList | MessageShape<typeof NegotiateBlobsRequestSchema>;

async function readQuestion({ lookups }: Parts, bytes: Uint8Array): Promise<Question> {
  return (await DigestList.parseInSteps(bytes, () => lookups.take(lookupsPerStep))) ?? readRequest(bytes);
}

async function answerTo(parts: Parts, question: Question, signal: AbortSignal): Promise<Uint8Array> {
  if (question instanceof DigestList) {
    const missing = await missingIndexes(parts, question, signal);
    return question.encode(missing, () => parts.lookups.take(lookupsPerStep));
  }
  const answer = { missingBlobDigests: await missingDigests(parts, question.blobDigests, signal) };
  return encodeEnvelope(0, toBinary(NegotiateBlobsResponseSchema, create(NegotiateBlobsResponseSchema, answer)));
}
