// A stream that is written from the outside, piece by piece: each `push` waits until its piece has been read.

export class PieceChannel implements AsyncIterableIterator<Uint8Array, undefined> {
  #offered: Uint8Array | undefined;
  #ended = false;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;
  #handedOut = false;

  /** Resolves when the reader has no more use for the piece, or will read no more. One call at a time. */
  async push(bytes: Uint8Array): Promise<void> {
    if (this.#ended || bytes.length === 0) return;
    this.#offered = bytes;
    const done = new Promise<void>((resolve) => {
      this.#wakeWriter = resolve;
    });
    this.#wakeReader?.();
    await done;
  }

  end(): void {
    this.#ended = true;
    this.#wakeReader?.();
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#handedOut) {
      this.#handedOut = false;
      this.#wakeWriter?.();
    }
    while (this.#offered === undefined && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
    const value = this.#offered;
    if (value === undefined) return { done: true, value: undefined };
    this.#offered = undefined;
    this.#handedOut = true;
    return { done: false, value };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#ended = true;
    this.#offered = undefined;
    this.#wakeWriter?.();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
