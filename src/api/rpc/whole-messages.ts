// A request's body for the general handler, in pieces that hold whole messages: that library joins what comes by copying all
// of a message again for each piece of it, and keeps each piece as an object of its own. And only who knows where messages
// begin can count how much of them is held.

import { Code, ConnectError } from '@connectrpc/connect';
import { concatBytes } from '../../base/bytes.js';
import { limits } from '../../base/limits.js';
import { RunList } from '../../base/run-list.js';
import { publicMessage } from '../error-map.js';
import type { HeldBytes } from '../held-bytes.js';
import { EnvelopeReader, envelopeHeadBytes } from './lane/envelope.js';

/** A body that is one message, in one piece. What is beyond the longest message comes as it is, to be refused. */
export async function* wholeBody(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const runs = new RunList();
  let bytes = 0;
  const pieces = body[Symbol.asyncIterator]();
  let step = await pieces.next();
  for (; !step.done && bytes <= limits.requestMessageBytesMax; step = await pieces.next()) {
    runs.push(step.value);
    bytes += step.value.length;
  }
  if (bytes > 0) yield concatBytes(runs.runs);
  for (; !step.done; step = await pieces.next()) yield step.value;
}

/**
 * A body of enveloped messages, one envelope a piece. Longer messages are counted from their first byte until the one behind
 * them is asked for; `resource_exhausted` when all RPCs together hold too much.
 */
export async function* wholeMessages(
  body: AsyncIterable<Uint8Array>,
  held: Pick<HeldBytes, 'take' | 'give'>,
): AsyncGenerator<Uint8Array> {
  const reader = new EnvelopeReader();
  /** The envelope under way, its head included; undefined between two. */
  let envelope: RunList | undefined;
  let heldBytes = 0;
  const pieces = body[Symbol.asyncIterator]();
  for (let step = await pieces.next(); !step.done; step = await pieces.next()) {
    reader.push(step.value);
    for (;;) {
      if (envelope === undefined) {
        if (!reader.readHead()) break;
        envelope = new RunList();
        envelope.push(headOf(reader));
      }
      for (let run = take(reader); run !== undefined; run = take(reader)) {
        // What is shorter is held without being asked for, as every stream may.
        if (reader.length > limits.laneHeldBytesMax) {
          hold(held, run.length);
          heldBytes += run.length;
        }
        envelope.push(run);
      }
      if (reader.remaining > 0) break;
      yield concatBytes(envelope.runs);
      envelope = undefined;
      held.give(heldBytes);
      heldBytes = 0;
    }
  }
  // What was cut off is told by whoever misses the rest.
  if (envelope !== undefined) yield concatBytes(envelope.runs);
  else if (reader.isInside) yield new Uint8Array(1);
}

function take(reader: EnvelopeReader): Uint8Array | undefined {
  return reader.remaining === 0 ? undefined : reader.takeRun(reader.remaining);
}

function headOf({ flags, length }: EnvelopeReader): Uint8Array {
  const head = new Uint8Array(envelopeHeadBytes);
  head[0] = flags;
  new DataView(head.buffer).setUint32(1, length);
  return head;
}

/** In the transport's words, since no method sees it. */
function hold(held: Pick<HeldBytes, 'take'>, bytes: number): void {
  try {
    held.take(bytes);
  } catch (error) {
    throw new ConnectError(publicMessage(error), Code.ResourceExhausted);
  }
}
