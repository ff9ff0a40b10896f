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
    const bytes = await messages.next((bytes) => bytes);
    if (bytes === undefined) return [];
    call.noteProgress();
    await parts.lookups.take(Math.ceil(bytes.length / bytesPerLookup));
    await call.send([await answerTo(parts, bytes, call.signal)]);
    call.throwIfAborted();
  }
}

async function answerTo(parts: Parts, bytes: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  const list = DigestList.parse(bytes);
  if (list === undefined) {
    const answer = { missingBlobDigests: await missingDigests(parts, readRequest(bytes).blobDigests, signal) };
    return encodeEnvelope(0, toBinary(NegotiateBlobsResponseSchema, create(NegotiateBlobsResponseSchema, answer)));
  }
  const missing = await missingIndexes(parts, list, signal);
  await parts.lookups.take(Math.ceil(bytes.length / bytesPerLookup));
  return list.encode(missing);
}
