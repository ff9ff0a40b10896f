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
/** Bytes of a message that cost as much to read, or to write, as one look-up. */
const bytesPerLookup = 256;

/** Sends all answers itself. */
export async function laneNegotiate(
  parts: Parts,
  call: LaneCall,
  messages: RequestMessages,
): Promise<readonly Uint8Array[]> {
  for (;;) {
    const bytes = await messages.next(unread);
    if (bytes === undefined) return [];
    call.noteProgress();
    await parts.lookups.take(lookupsFor(bytes));
    await call.send([await answerTo(parts, readQuestion(bytes), call.signal)]);
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
  const question = await messages.only('unary', readQuestion, () => call.noteProgress());
  try {
    return [await answerTo(parts, question, call.signal)];
  } finally {
    messages.release();
  }
}

type Question = DigestList | MessageShape<typeof NegotiateBlobsRequestSchema>;

const unread = (bytes: Uint8Array) => bytes;

function readQuestion(bytes: Uint8Array): Question {
  return DigestList.parse(bytes) ?? readRequest(bytes);
}

function lookupsFor({ length }: Pick<Uint8Array, 'length'>): number {
  return Math.ceil(length / bytesPerLookup);
}

async function answerTo(parts: Parts, question: Question, signal: AbortSignal): Promise<Uint8Array> {
  if (question instanceof DigestList) {
    const missing = await missingIndexes(parts, question, signal);
    await parts.lookups.take(lookupsFor({ length: question.byteLength }));
    return question.encode(missing);
  }
  const answer = { missingBlobDigests: await missingDigests(parts, question.blobDigests, signal) };
  return encodeEnvelope(0, toBinary(NegotiateBlobsResponseSchema, create(NegotiateBlobsResponseSchema, answer)));
}
