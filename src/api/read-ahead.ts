// Reads an open blob piece by piece, each piece while the one before it is on its way, and never further ahead. Pieces
// start small and double, so that a reader who takes little makes us hold little, and as long as the budget grants it. They
// end where the blob's blocks end, so that no block is read twice. No read begins after the signal aborts.

import type { BlobHandle } from '../base/blob-store.js';
import type { ByteBudget } from '../base/byte-budget.js';
import { limits } from '../base/limits.js';
import type { ByteRange } from '../base/range.js';

/** Bytes to be sent as they are, or a range of the blob. */
export type Part = Uint8Array | ByteRange;

export interface ReadAheadOptions {
  /** What pieces beyond the first size are granted by; they grow freely without. */
  readonly budget?: ByteBudget;
  /** Each piece is done with when the next is asked for: two buffers serve by turns. */
  readonly recycles?: boolean;
}

export class ReadAhead {
  readonly #handle: BlobHandle;
  readonly #pieces: Iterator<Part>;
  readonly #signal: Pick<AbortSignal, 'aborted'>;
  readonly #options: ReadAheadOptions;
  #ahead: Promise<Uint8Array> | undefined;
  #readBytes: number = limits.firstReadBytes;
  #grantedBytes = 0;
  /** The buffer of the piece that was handed out, and that of the one being read. */
  #buffers: [Uint8Array | undefined, Uint8Array | undefined] = [undefined, undefined];

  /** Starts reading. The handle stays the caller's, who may close it after `settle`. */
  constructor(
    handle: BlobHandle,
    parts: readonly Part[],
    signal: Pick<AbortSignal, 'aborted'>,
    options: ReadAheadOptions = {},
  ) {
    this.#handle = handle;
    this.#signal = signal;
    this.#options = options;
    this.#pieces = this.#cut(parts);
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
    this.#options.budget?.give(this.#grantedBytes);
    this.#grantedBytes = 0;
    await this.#ahead?.catch(() => {});
  }

  #read(): Promise<Uint8Array> | undefined {
    if (this.#signal.aborted) return undefined;
    const { done, value } = this.#pieces.next();
    if (done) return undefined;
    const reading =
      value instanceof Uint8Array ? Promise.resolve(value) : this.#handle.read(value, this.#scratchFor(value));
    // Its failure is thrown where it is awaited; until then it must not count as unhandled.
    reading.catch(() => {});
    return reading;
  }

  /** Memory for the blocks of a range: the buffer that is done with, when it is large enough. */
  #scratchFor({ start, end }: ByteRange): Uint8Array | undefined {
    const length = Math.min(blockEnd(end), this.#handle.digest.size) - blockStart(start);
    // Small ones are cheap to make, and the last piece may outlive this object.
    if (this.#options.recycles !== true || length <= limits.firstReadBytes) return undefined;
    const [last, done] = this.#buffers;
    const buffer = done !== undefined && done.length >= length ? done : Buffer.allocUnsafeSlow(length);
    this.#buffers = [buffer, last];
    return buffer;
  }

  *#cut(parts: readonly Part[]): Generator<Part> {
    for (const part of parts) {
      if (part instanceof Uint8Array) {
        yield part;
        continue;
      }
      for (let start = part.start; start < part.end; ) {
        const end = Math.min(blockStart(start + this.#readBytes), part.end);
        yield { start, end };
        start = end;
        if (start < part.end) this.#grow();
      }
    }
  }

  #grow(): void {
    const grown = Math.min(2 * this.#readBytes, limits.readBytesMax);
    // One piece is on its way while the next is read.
    const more = 2 * (grown - this.#readBytes);
    if (more === 0 || this.#options.budget?.take(more) === false) return;
    this.#grantedBytes += this.#options.budget === undefined ? 0 : more;
    this.#readBytes = grown;
  }
}

function blockStart(position: number): number {
  return position - (position % limits.blockBytes);
}

function blockEnd(position: number): number {
  return blockStart(position + limits.blockBytes - 1);
}
