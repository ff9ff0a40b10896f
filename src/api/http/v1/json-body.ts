// JSON in a request's body: small, so that nothing large is ever parsed, and checked before anybody sees it.

import type { Static, TSchema } from '@sinclair/typebox';
import { concatBytes } from '../../../base/bytes.js';
import { CairnError } from '../../../base/errors.js';
import { limits } from '../../../base/limits.js';
import { RunList } from '../../../base/run-list.js';
import type { Exchange } from '../exchange.js';
import { checkShape } from './check-shape.js';
import { decodedBody } from './decoded-body.js';

/** `too_large` beyond `jsonBodyBytesMax`; `invalid_argument` for what is no JSON or not of this shape. */
export async function readJson<Shape extends TSchema>(exchange: Exchange, shape: Shape): Promise<Static<Shape>> {
  const type = exchange.header('content-type');
  if (!/^application\/json\s*(;|$)/i.test(type ?? '')) {
    throw new CairnError('invalid_argument', `the body must be application/json, not ${type ?? 'of no type'}`);
  }
  const pieces = new RunList();
  let length = 0;
  for await (const piece of decodedBody(exchange)) {
    length += piece.length;
    if (length > limits.jsonBodyBytesMax) {
      throw new CairnError('too_large', `a JSON body has at most ${limits.jsonBodyBytesMax} bytes`);
    }
    pieces.push(new Uint8Array(piece));
  }
  return checkShape(parseJson(concatBytes(pieces.runs)), shape);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new CairnError('invalid_argument', `the body is no JSON: ${(cause as Error).message}`, { cause });
  }
}
