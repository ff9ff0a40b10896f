// Pieces of a stream, put together into parts of one length.

export class PartGatherer {
  readonly #partBytes: number;
  #part = new Uint8Array(0);
  #length = 0;

  constructor(partBytes: number) {
    this.#partBytes = partBytes;
  }

  /** The parts that are whole with this piece. Each is to be done with before the next is asked for. */
  *add(piece: Uint8Array): Generator<Uint8Array> {
    let rest = piece;
    while (rest.length > 0) {
      if (this.#part.length === 0) this.#part = new Uint8Array(this.#partBytes);
      const taken = rest.subarray(0, this.#partBytes - this.#length);
      this.#part.set(taken, this.#length);
      this.#length += taken.length;
      rest = rest.subarray(taken.length);
      if (this.#length === this.#partBytes) yield this.rest();
    }
  }

  /** What is left behind the last whole part. */
  rest(): Uint8Array {
    const part = this.#part.subarray(0, this.#length);
    this.#length = 0;
    return part;
  }
}
