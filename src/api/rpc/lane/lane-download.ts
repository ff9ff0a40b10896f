// Transport.Download on the lane: the blob's verified bytes, each block read while the one before it is on its way, each
// message an envelope's head in front of a run of the block. Only small ones are copied. The handle is closed before the answer ends,
// and at once when the call has to end, also while nobody takes the next byte.

import type { BlobHandle } from '../../../base/blob-store.js';
import { limits } from '../../../base/limits.js';
import type { ByteRange } from '../../../base/range.js';
import { DownloadRequestSchema } from '../../../gen/zako/v1/transport/transport_pb.js';
import { ReadAhead } from '../../read-ahead.js';
import { openDownload } from '../download.js';
import type { RpcParts } from '../rpc-parts.js';
import { envelopeHeadBytes } from './envelope.js';
import type { LaneCall } from './lane-call.js';
import { messageReader, type RequestMessages } from './request-messages.js';

/** DownloadResponse.data: field 1, length-delimited. */
const dataTag = 0x0a;

const readRequest = messageReader(DownloadRequestSchema);

/** Sends all but the last bytes of the answer, and returns those. */
export async function laneDownload(
  { store }: Pick<RpcParts, 'store'>,
  call: LaneCall,
  messages: RequestMessages,
): Promise<readonly Uint8Array[]> {
  const { handle, range } = await openDownload(store, await messages.only('server-streaming', readRequest));
  return sendBlob(call, handle, range);
}

async function sendBlob(call: LaneCall, handle: BlobHandle, range: ByteRange): Promise<readonly Uint8Array[]> {
  const blocks = new ReadAhead(handle, [range], call, { ...call.memory, recycles: true });
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
    await blocks.settle();
    await handle.close();
  }
}

function messagesOf(block: Uint8Array): Uint8Array[] {
  // Copying a little costs less than sending two pieces.
  if (block.length <= limits.laneCopiedBytesMax) return [Buffer.concat([messageHead(block.length), block])];
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < block.length; start += limits.downloadMessageBytesMax) {
    const data = block.subarray(start, start + limits.downloadMessageBytesMax);
    pieces.push(messageHead(data.length), data);
  }
  return pieces;
}

/** The envelope and the field's head of a DownloadResponse with so many bytes of data. */
export function messageHead(dataBytes: number): Uint8Array {
  const varintBytes = dataBytes < 0x80 ? 1 : dataBytes < 0x4000 ? 2 : dataBytes < 0x20_0000 ? 3 : 4;
  const head = Buffer.allocUnsafe(envelopeHeadBytes + 1 + varintBytes);
  head[0] = 0;
  head.writeUInt32BE(1 + varintBytes + dataBytes, 1);
  head[envelopeHeadBytes] = dataTag;
  let rest = dataBytes;
  for (let index = envelopeHeadBytes + 1; index < head.length; index++) {
    head[index] = (rest & 0x7f) | (index < head.length - 1 ? 0x80 : 0);
    rest >>>= 7;
  }
  return head;
}
