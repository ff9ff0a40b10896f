// Reads an open blob piece by piece, each piece while the one before it is on its way, and never further ahead. Pieces
// start small and double, so that a reader who takes little makes us hold little. No read begins after the signal aborts.

import type { BlobHandle } from '../base/blob-store.js';
import { limits } from '../base/limits.js';
import type { ByteRange } from '../base/range.js';

/** Bytes to be sent as they are, or a range of the blob. */
export type Part = Uint8Array | ByteRange;

export class ReadAhead {
  readonly #handle: BlobHandle;
  readonly #pieces: Iterator<Part>;
  readonly #signal: Pick<AbortSignal, 'aborted'>;
  #ahead: Promise<Uint8Array> | undefined;

  /** Starts reading. The handle stays the caller's, who may close it after `settle`. */
  constructor(handle: BlobHandle, parts: readonly Part[], signal: Pick<AbortSignal, 'aborted'>) {
    this.#handle = handle;
    this.#signal = signal;
    this.#pieces = cut(parts);
    this.#ahead = this.#read();
  }

  /** The next piece; undefined after the last, or when the signal has aborted. Starts reading the one after it. */
  async next(): Promise<Uint8Array | undefined> {
    const piece = await this.#ahead;
    this.#ahead = piece && this.#read();
    return piece;
  }

  /** Begins no further read, and resolves when none is under way. */
  async settle(): Promise<void> {
    this.#pieces.return?.();
    await this.#ahead?.catch(() => {});
  }

  #read(): Promise<Uint8Array> | undefined {
    if (this.#signal.aborted) return undefined;
    const { done, value } = this.#pieces.next();
    if (done) return undefined;
    const reading = value instanceof Uint8Array ? Promise.resolve(value) : this.#handle.read(value);
    // Its failure is thrown where it is awaited; until then it must not count as unhandled.
    reading.catch(() => {});
    return reading;
  }
}

function* cut(parts: readonly Part[]): Generator<Part> {
  let readBytes: number = limits.firstReadBytes;
  for (const part of parts) {
    if (part instanceof Uint8Array) {
      yield part;
      continue;
    }
    for (let start = part.start; start < part.end; ) {
      const end = Math.min(start + readBytes, part.end);
      yield { start, end };
      start = end;
      readBytes = Math.min(2 * readBytes, limits.readBytesMax);
    }
  }
}
