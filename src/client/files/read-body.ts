// Bodies that are no files: they are short.

import type { Readable } from 'node:stream';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';

/** All of a body that is not long. */
export async function bytesOf(body: Readable): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > limits.fileAnswerBytesMax) {
      body.destroy();
      throw new CairnError('internal', `an answer has more than ${limits.fileAnswerBytesMax} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
