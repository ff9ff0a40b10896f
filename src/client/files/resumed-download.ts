// The bytes of one version of a file, over as many connections as it takes: where one breaks, the next begins.

import type { Readable } from 'node:stream';
import { errorCode } from '../../base/errors.js';
import { piecesOf } from './read-body.js';

export interface ResumedDownload {
  /** Bytes there are. */
  readonly size: number;
  readonly signal: AbortSignal | undefined;
  /** The bytes from there on. Tries again by itself as long as there is no answer. */
  open(start: number): Promise<Readable>;
}

/** Fails as `open` does, and with `unavailable` when a connection broke that brought nothing. */
export async function* resumedDownload({ size, signal, open }: ResumedDownload): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; ) {
    const begun = at;
    const body = await open(at);
    try {
      for await (const piece of piecesOf(body, signal)) {
        at += piece.length;
        yield piece;
      }
    } catch (error) {
      if (errorCode(error) !== 'unavailable' || at === begun) throw error;
    } finally {
      body.destroy();
    }
  }
}
