// Reads an open blob piece by piece, each piece while the one before it is on its way, and never further ahead. Pieces
// start small and double, so that a reader who takes little makes us hold little, and as long as the budget grants it: the
// first steps from one half of the budget, the last ones, for those who have taken more than any buffer on the way can
// hold, from all of it. A reader that stops taking loses what was read ahead for it, and begins small again. Pieces but the
// last end where the blob's blocks end, so that no block is read twice. No read begins after the signal aborts.

import type { BlobHandle } from '../base/blob-store.js';
import { BufferPair, blockStart } from '../base/buffer-pair.js';
import type { ByteBudget } from '../base/byte-budget.js';
import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';
import type { ByteRange } from '../base/range.js';

/** Bytes to be sent as they are, or a range of the blob. */
export type Part = Uint8Array | ByteRange;

export interface ReadAheadParts {
  /** What pieces beyond the first size are granted by. */
  readonly budget: ByteBudget;
  readonly clock: Clock;
  /** Each piece is done with when the next is asked for: two buffers serve by turns. */
  readonly recycles?: true;
}

/** Where in the parts the next piece begins. */
interface Place {
  readonly index: number;
  /** In a range: bytes of it that are before the piece. */
  readonly offset: number;
}

export class ReadAhead {
  readonly #handle: BlobHandle;
  readonly #pieces: readonly Part[];
  readonly #signal: Pick<AbortSignal, 'aborted'>;
  readonly #parts: ReadAheadParts;
  #place: Place = { index: 0, offset: 0 };
  /** Where the piece begins that is read ahead. */
  #aheadPlace: Place = this.#place;
  #ahead: Promise<Uint8Array> | undefined;
  /** What was read ahead is given up and has to be read again. */
  #dropped = false;
  #readBytes: number = limits.firstReadBytes;
  #grantedBytes = 0;
  /** Bytes handed out since the reader last stopped. */
  #movedBytes = 0;
  readonly #buffers = new BufferPair();
  #cancelWatch: (() => void) | undefined;

  /** Starts reading. The handle stays the caller's, who may close it after `settle`. */
  constructor(
    handle: BlobHandle,
    pieces: readonly Part[],
    signal: Pick<AbortSignal, 'aborted'>,
    parts: ReadAheadParts,
  ) {
    this.#handle = handle;
    this.#signal = signal;
    this.#parts = parts;
    this.#pieces = pieces;
    this.#ahead = this.#read();
  }

  /** The next piece; undefined after the last, or when the signal has aborted. Starts reading the one after it. */
  async next(): Promise<Uint8Array | undefined> {
    this.#cancelWatch?.();
    if (this.#dropped) {
      this.#dropped = false;
      await this.#ahead?.catch(() => {});
      this.#giveBack();
      this.#ahead = this.#read();
    }
    const piece = await this.#ahead;
    this.#movedBytes += piece?.length ?? 0;
    this.#ahead = piece && this.#read();
    if (this.#ahead !== undefined) this.#watch();
    return piece;
  }

  /** Begins no further read, and resolves when none is under way. */
  async settle(): Promise<void> {
    this.#cancelWatch?.();
    this.#place = { index: this.#pieces.length, offset: 0 };
    this.#giveBack();
    await this.#ahead?.catch(() => {});
  }

  #watch(): void {
    this.#cancelWatch = this.#parts.clock.after(limits.stalledPieceMilliseconds, () => this.#drop());
  }

  /** Nobody has come for the next piece: it is forgotten. The one before it is held by whoever sends it. */
  #drop(): void {
    this.#dropped = true;
    this.#place = this.#aheadPlace;
    this.#buffers.forget();
    const inFlightBytes = Math.min(this.#grantedBytes, this.#readBytes - limits.firstReadBytes);
    this.#parts.budget.give(this.#grantedBytes - inFlightBytes);
    this.#grantedBytes = inFlightBytes;
    this.#readBytes = limits.firstReadBytes;
    this.#movedBytes = 0;
    // Forgotten only when it is there: until then the handle is in use.
    const reading = this.#ahead;
    const forget = () => {
      if (this.#ahead === reading) this.#ahead = undefined;
    };
    reading?.then(forget, forget);
  }

  #giveBack(): void {
    this.#parts.budget.give(this.#grantedBytes);
    this.#grantedBytes = 0;
  }

  #read(): Promise<Uint8Array> | undefined {
    if (this.#signal.aborted) return undefined;
    const piece = this.#cut();
    if (piece === undefined) return undefined;
    const reading = piece instanceof Uint8Array ? Promise.resolve(piece) : this.#readRange(piece);
    // Its failure is thrown where it is awaited; until then it must not count as unhandled.
    reading.catch(() => {});
    return reading;
  }

  #readRange(range: ByteRange): Promise<Uint8Array> {
    const { recycles } = this.#parts;
    return this.#handle.read(range, recycles && this.#buffers.scratchFor(range, this.#handle.digest.size));
  }

  /** The next piece of the parts. */
  #cut(): Part | undefined {
    for (;;) {
      this.#aheadPlace = this.#place;
      const { index, offset } = this.#place;
      const part = this.#pieces[index];
      if (part === undefined) return undefined;
      const behind = { index: index + 1, offset: 0 };
      if (part instanceof Uint8Array) {
        this.#place = behind;
        return part;
      }
      const start = part.start + offset;
      // What is left is read at once where it is no more than a piece, wherever its blocks end.
      const isLast = part.end - start <= this.#readBytes;
      const end = isLast ? part.end : blockStart(start + this.#readBytes);
      this.#place = end < part.end ? { index, offset: end - part.start } : behind;
      if (end < part.end) this.#grow();
      if (start < end) return { start, end };
    }
  }

  #grow(): void {
    const proven = this.#movedBytes >= limits.provenReaderBytes;
    const largest = proven ? limits.readBytesMax : limits.unprovenReadBytesMax;
    const grown = Math.min(2 * this.#readBytes, largest);
    // One piece is on its way while the next is read.
    const more = 2 * (grown - this.#readBytes);
    if (more <= 0 || !this.#parts.budget.take(more, proven ? undefined : limits.unprovenBudgetBytes)) return;
    this.#grantedBytes += more;
    this.#readBytes = grown;
  }
}
