// Where chunks end. A cutter is fed a stream from its start, or from any cut on; how the stream is split does not matter.

import { assert } from '../base/errors.js';

/** Knows only the chunk it is in: the next one begins from nothing. */
export interface Cutter {
  /**
   * Looks at the next bytes. So many of them, from the first on, belong to the present chunk for certain; `ended` says
   * whether it ends behind them. Where it does not, at most one byte is left over, to be looked at again with more.
   */
  advance(bytes: Uint8Array): number;
  /** The last `advance` found the chunk's end. */
  readonly ended: boolean;
}

/** Bytes of one chunk. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** The chunk ends behind them. */
  readonly ends: boolean;
}

/** Turns pieces of a stream into pieces of chunks. Holds at most one byte. */
export class StreamCutter {
  readonly #cutter: Cutter;
  #held: number | undefined;

  constructor(cutter: Cutter) {
    this.#cutter = cutter;
  }

  /** To be iterated to the end. What it yields lies in `bytes`, but for a byte that was held. */
  *push(bytes: Uint8Array): Generator<Piece> {
    for (let from = 0; from < bytes.length; ) {
      const held = this.#held;
      const here = held === undefined ? bytes.subarray(from) : Uint8Array.of(held, bytes[from]!);
      const taken = this.#cutter.advance(here);
      const ends = this.#cutter.ended;
      if (taken > 0 || ends) {
        if (taken > 0) this.#held = undefined;
        from += held === undefined ? taken : Math.max(0, taken - 1);
        yield { bytes: here.subarray(0, taken), ends };
      } else {
        assert(here.length === 1, 'two bytes are enough to go on');
        this.#held = here[0]!;
        from += 1;
      }
    }
  }

  /** What belongs to the present chunk if the stream ends now: a byte or none. */
  rest(): Uint8Array {
    return this.#held === undefined ? new Uint8Array(0) : Uint8Array.of(this.#held);
  }
}
