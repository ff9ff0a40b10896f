// Bytes of a source as a transform of zlib makes them, asked for piece by piece: nothing is read ahead but what the transform
// itself holds.

import { Readable, type Transform } from 'node:stream';
import { limits } from '../../../base/limits.js';

/** Errors of the source come out as they are, those of the transform in its own words. Ends both on every path. */
export async function* through(source: AsyncIterable<Uint8Array>, transform: Transform): AsyncGenerator<Uint8Array> {
  const pieces = Readable.from(source, { objectMode: false, highWaterMark: limits.firstReadBytes });
  pieces.on('error', (error) => transform.destroy(error));
  pieces.pipe(transform);
  try {
    yield* transform as AsyncIterable<Uint8Array>;
  } finally {
    pieces.unpipe(transform);
    pieces.destroy();
    transform.destroy();
  }
}
