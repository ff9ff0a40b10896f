// Transport.Upload on the lane: the metadata, then the chunks straight to the store, and one message that says how many
// bytes are stored.

import { create, toBinary } from '@bufbuild/protobuf';
import { UploadRequestSchema, UploadResponseSchema } from '../../../gen/zako/v1/transport/transport_pb.js';
import { BatchBuffers } from '../../batch-buffers.js';
import type { RpcParts } from '../rpc-parts.js';
import { declaredDigest, writeUpload } from '../upload.js';
import { encodeEnvelope } from './envelope.js';
import type { LaneCall } from './lane-call.js';
import { messageReader, type RequestMessages } from './request-messages.js';
import { UploadChunks } from './upload-chunks.js';

const readRequest = messageReader(UploadRequestSchema);

/** Returns the answer's bytes. */
export async function laneUpload(
  { store }: Pick<RpcParts, 'store'>,
  call: LaneCall,
  messages: RequestMessages,
): Promise<readonly Uint8Array[]> {
  const digest = declaredDigest(await messages.next(readRequest));
  const batches = new BatchBuffers(digest.size, call.memory);
  let stopWatching: (() => void) | undefined;
  try {
    const chunks = new UploadChunks(messages, digest, batches, () => call.noteProgress());
    stopWatching = call.watchCaller(() => chunks.source.isWaiting);
    const answer = await writeUpload(store, digest, chunks.source, call.signal);
    return [encodeEnvelope(0, toBinary(UploadResponseSchema, create(UploadResponseSchema, answer)))];
  } finally {
    stopWatching?.();
    batches.close();
  }
}
