// How a file is to be cut, as configurations, requests and stored sessions say it.

import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Cutter } from './cutter.js';
import { FastCdcCutter, fastCdcSizes } from './fastcdc.js';
import { FixedCutter } from './fixed-cutter.js';

export type Chunking =
  | { readonly kind: 'fastcdc'; readonly averageBytes: number }
  | { readonly kind: 'fixed'; readonly chunkBytes: number };

/** As the remote-execution API recommends. */
export const defaultChunking = { kind: 'fastcdc', averageBytes: 512 * 1024 } as const satisfies Chunking;

/** A new cutter, at the start of a chunk. `invalid_argument` when the sizes are none. */
export function createCutter(chunking: Chunking): Cutter {
  if (chunking.kind === 'fastcdc') return new FastCdcCutter(fastCdcSizes(chunking.averageBytes));
  const { chunkBytes } = chunking;
  if (!Number.isInteger(chunkBytes) || chunkBytes < 1 || chunkBytes > limits.fixedChunkBytesMax) {
    throw new CairnError('invalid_argument', `${chunkBytes} is no chunk size from 1 to ${limits.fixedChunkBytesMax}`);
  }
  return new FixedCutter(chunkBytes);
}
