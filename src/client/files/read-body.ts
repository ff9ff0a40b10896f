// Bodies of answers: those that are no files, which are short, and all others.

import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';

/** All of a body that is not long. */
export async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > limits.fileAnswerBytesMax) {
      throw new CairnError('internal', `an answer has more than ${limits.fileAnswerBytesMax} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** The pieces of a body; `canceled` when the signal ended it, `unavailable` when it broke off. */
export async function* piecesOf(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    if (signal?.aborted) throw new CairnError('canceled', 'canceled', { cause });
    throw new CairnError('unavailable', `the answer broke off: ${cause}`, { cause });
  }
}
