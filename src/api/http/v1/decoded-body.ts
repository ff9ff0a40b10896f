// A request's body as it was before the client compressed it: with `Content-Encoding: gzip`, or as it is. What little
// grows into much is refused long before it fills a disk.

import { createGunzip } from 'node:zlib';
import { CairnError } from '../../../base/errors.js';
import { limits } from '../../../base/limits.js';
import type { Exchange } from '../exchange.js';
import { readBody } from '../request-body.js';
import { through } from './through.js';

/** `invalid_argument` for other encodings and for what is no gzip; `too_large` for what grows beyond measure. */
export function decodedBody(exchange: Exchange): AsyncIterable<Uint8Array> {
  const encoding = encodingOf(exchange);
  if (encoding === 'identity') return readBody(exchange);
  if (encoding !== 'gzip' && encoding !== 'x-gzip') {
    throw new CairnError(
      'invalid_argument',
      `content-encoding ${JSON.stringify(encoding)} is not supported: send gzip`,
    );
  }
  return gunzipped(exchange);
}

/** Whether the length that the request declares is that of something else. */
export function isEncoded(exchange: Exchange): boolean {
  return encodingOf(exchange) !== 'identity';
}

function encodingOf(exchange: Exchange): string {
  return (exchange.header('content-encoding') ?? 'identity').trim().toLowerCase();
}

async function* gunzipped(exchange: Exchange): AsyncGenerator<Uint8Array> {
  let decoded = 0;
  try {
    for await (const piece of through(readBody(exchange), createGunzip())) {
      decoded += piece.length;
      const allowed = limits.decodedBodyBytesFree + limits.decodedBodyRatioMax * exchange.bytesIn;
      if (decoded > allowed) throw new CairnError('too_large', `${exchange.bytesIn} bytes of gzip hold too much`);
      yield piece;
    }
  } catch (error) {
    if (error instanceof CairnError) throw error;
    throw new CairnError('invalid_argument', `the body is no gzip: ${(error as Error).message}`, { cause: error });
  }
}
