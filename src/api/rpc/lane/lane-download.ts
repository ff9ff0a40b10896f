// Transport.Download on the lane: the blob's verified bytes, each block read while the one before it is on its way, each
// message an envelope's head in front of a run of the block. Only small ones are copied. The handle is closed before the answer ends,
// and at once when the call has to end, also while nobody takes the next byte.

import type { BlobHandle } from '../../../base/blob-store.js';
import type { Digest } from '../../../base/digest.js';
import { limits } from '../../../base/limits.js';
import type { ByteRange } from '../../../base/range.js';
import { readInto } from '../../../base/read-into.js';
import { type DownloadRequest, DownloadRequestSchema } from '../../../gen/zako/v1/transport/transport_pb.js';
import { ReadAhead } from '../../read-ahead.js';
import { openPart, partOf } from '../download.js';
import type { RpcParts } from '../rpc-parts.js';
import { DigestList } from './digest-list.js';
import { envelopeHeadBytes } from './envelope.js';
import type { LaneCall } from './lane-call.js';
import { messageReader, type RequestMessages } from './request-messages.js';

/** DownloadResponse.data: field 1, length-delimited. */
const dataTag = 0x0a;
/** Tag, and length in at most four bytes. */
export const messageHeadBytesMax = envelopeHeadBytes + 5;
/** DownloadRequest.metadata. */
const metadataTag = 0x0a;

const readRequest = messageReader(DownloadRequestSchema);

/** Sends all but the last bytes of the answer, and returns those. */
export async function laneDownload(
  { store }: Pick<RpcParts, 'store'>,
  call: LaneCall,
  messages: RequestMessages,
): Promise<readonly Uint8Array[]> {
  const question = await messages.only('server-streaming', readQuestion);
  const { handle, range } = await openPart(store, 'hash' in question ? { digest: question } : partOf(question));
  const bytes = range.end - range.start;
  if (bytes === 0 || bytes > limits.firstReadBytes) return sendBlob(call, handle, range);
  // A small blob needs nothing that reads ahead, or waits for who takes it.
  try {
    const pieces =
      bytes > limits.laneCopiedBytesMax ? messagesOf(await handle.read(range)) : await oneFrame(call, handle, range);
    call.throwIfAborted();
    return pieces;
  } finally {
    await handle.close();
  }
}

/** Copied, since that costs less than sending a head and the bytes. */
async function oneFrame(call: LaneCall, handle: BlobHandle, range: ByteRange): Promise<Uint8Array[]> {
  const frame = call.lendFrame();
  const bytes = range.end - range.start;
  const start = writeHead(frame, bytes);
  await readInto(frame.subarray(start, start + bytes), handle, range);
  return [frame.subarray(0, start + bytes)];
}

/** What is wrong with a question that can be read is told once there is certainly no other. */
function readQuestion(message: Uint8Array): Digest | DownloadRequest {
  return wholeBlob(message) ?? readRequest(message);
}

/** Of the usual question, for all of a blob: field 1 of field 1, and so a list of one digest within another field 1. */
function wholeBlob(message: Uint8Array): Digest | undefined {
  if (message[0] !== metadataTag || message[1] !== message.length - 2) return undefined;
  const list = DigestList.parse(message.subarray(2));
  return list?.count === 1 ? list.at(0) : undefined;
}

async function sendBlob(call: LaneCall, handle: BlobHandle, range: ByteRange): Promise<readonly Uint8Array[]> {
  const blocks = new ReadAhead(handle, [range], call, { ...call.memory, recycles: true });
  const stopWatching = call.watchCaller();
  try {
    let position = range.start;
    for (let block = await blocks.next(); block !== undefined; block = await blocks.next()) {
      call.throwIfAborted();
      position += block.length;
      if (position === range.end) return messagesOf(block);
      await call.send(messagesOf(block));
      call.throwIfAborted();
    }
    call.throwIfAborted();
    return [];
  } finally {
    stopWatching();
    await blocks.settle();
    await handle.close();
  }
}

function messagesOf(block: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < block.length; start += limits.downloadMessageBytesMax) {
    const data = block.subarray(start, start + limits.downloadMessageBytesMax);
    pieces.push(messageHead(data.length), data);
  }
  return pieces;
}

/** The envelope and the field's head of a DownloadResponse with so many bytes of data. */
export function messageHead(dataBytes: number): Uint8Array {
  const head = new Uint8Array(messageHeadBytesMax);
  return head.subarray(0, writeHead(head, dataBytes));
}

/** Writes them where the message is to begin; answers where its data begins. */
function writeHead(target: Uint8Array, dataBytes: number): number {
  let at = envelopeHeadBytes;
  target[at++] = dataTag;
  for (let rest = dataBytes; ; rest >>>= 7) {
    target[at++] = rest < 0x80 ? rest : (rest & 0x7f) | 0x80;
    if (rest < 0x80) break;
  }
  const length = at - envelopeHeadBytes + dataBytes;
  target[0] = 0;
  for (let byte = 0; byte < 4; byte++) target[1 + byte] = length >>> (24 - 8 * byte);
  return at;
}
