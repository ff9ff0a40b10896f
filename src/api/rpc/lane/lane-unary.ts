// A method of one small message each way on the lane: read and answered by generated code, and by the same functions as on the
// general handler, whose ways around them cost several times what they do.

import { create, type DescMessage, type MessageInitShape, type MessageShape, toBinary } from '@bufbuild/protobuf';
import type { RpcParts } from '../rpc-parts.js';
import { encodeEnvelope } from './envelope.js';
import type { LaneCall } from './lane-call.js';
import { messageReader, type RequestMessages } from './request-messages.js';

export function laneUnary<Input extends DescMessage, Output extends DescMessage>(
  { input, output }: { readonly input: Input; readonly output: Output },
  answer: (request: MessageShape<Input>) => Promise<MessageInitShape<Output>>,
): (parts: RpcParts, call: LaneCall, messages: RequestMessages) => Promise<readonly Uint8Array[]> {
  const read = messageReader(input);
  return async (_parts, call, messages) => {
    // What is read lies in the bytes, and may be kept, or sent to another thread with all the memory behind it.
    const request = await messages.only(
      'unary',
      (bytes) => read(new Uint8Array(bytes)),
      () => call.noteProgress(),
    );
    messages.release();
    return [encodeEnvelope(0, toBinary(output, create(output, await answer(request))))];
  };
}
