// ContentAddressableStorage.NegotiateBlobs on the lane: one answer for each question, in order, made of the question's own
// bytes. The next question is read when the answer to the one before has left.

import { create, toBinary } from '@bufbuild/protobuf';
import { NegotiateBlobsRequestSchema, NegotiateBlobsResponseSchema } from '../../../gen/zako/v1/cas/cas_pb.js';
import { missingDigests, missingIndexes } from '../missing-digests.js';
import type { RpcParts } from '../rpc-parts.js';
import { DigestList } from './digest-list.js';
import { encodeEnvelope } from './envelope.js';
import type { LaneCall } from './lane-call.js';
import { messageReader, type RequestMessages } from './request-messages.js';

type Parts = Pick<RpcParts, 'store' | 'negotiateConcurrency' | 'lookups'>;

/** Sends all answers itself. */
export async function laneNegotiate(
  parts: Parts,
  call: LaneCall,
  messages: RequestMessages,
): Promise<readonly Uint8Array[]> {
  for (;;) {
    const answer = await messages.next((bytes) => answerTo(parts, bytes, call.signal));
    if (answer === undefined) return [];
    call.noteProgress();
    await call.send([await answer()]);
    call.throwIfAborted();
  }
}

const readRequest = messageReader(NegotiateBlobsRequestSchema);

/** Reads the question at once, so that one that cannot be read fails like any other message. */
function answerTo(parts: Parts, bytes: Uint8Array, signal: AbortSignal): () => Promise<Uint8Array> {
  const list = DigestList.parse(bytes);
  if (list !== undefined) return async () => list.encode(await missingIndexes(parts, list, signal));
  const { blobDigests } = readRequest(bytes);
  return async () => {
    const answer = { missingBlobDigests: await missingDigests(parts, blobDigests, signal) };
    return encodeEnvelope(0, toBinary(NegotiateBlobsResponseSchema, create(NegotiateBlobsResponseSchema, answer)));
  };
}
