// Parts of a body, one after the other, as streams, between a parser that calls back and a reader who asks. The parser gets the
// next piece of the body when the reader has all parts that began in the last one, and the present part has taken its bytes: so
// one piece is held, however many parts lie in it. A body that ends early, or is cut wrongly, fails where it is read: in
// the part under way, or where the next one is asked for.

import { CairnError } from './errors.js';

/** A part's bytes, as a Node stream. */
export interface PartStream {
  on(event: 'error', listener: () => void): unknown;
  resume(): unknown;
  destroy(error: Error): unknown;
  iterator(options: { readonly destroyOnReturn: boolean }): AsyncIterable<Uint8Array>;
}

/** Says through a `PartReader` what it finds in what it is given. */
export interface PartParser {
  write(piece: Uint8Array, taken: () => void): unknown;
  end(): unknown;
}

export type Part<Head> = Head & {
  /** To be read before the next part is asked for; what is left then is passed over. */
  readonly body: AsyncIterable<Uint8Array>;
};

export class PartReader<Head extends object> {
  readonly #parser: PartParser;
  readonly #arrived: { readonly part: Part<Head>; readonly stream: PartStream }[] = [];
  #current: PartStream | undefined;
  #finished = false;
  #stopped = false;
  #failure: CairnError | undefined;
  #wake: (() => void)[] = [];

  constructor(parser: PartParser) {
    this.#parser = parser;
  }

  /** The parser has come to a part. */
  arrive(stream: PartStream, head: Head): void {
    // Told where it is read; until then it must not count as unhandled.
    stream.on('error', () => {});
    if (this.#failure !== undefined) stream.destroy(this.#failure);
    this.#arrived.push({ stream, part: { ...head, body: this.#read(stream) } });
    this.#wakeAll();
  }

  /** The parser has found the end. */
  finish(): void {
    this.#finished = true;
    this.#wakeAll();
  }

  /** What is wrong with the body; the first reason stays. */
  fail(error: CairnError): void {
    this.#failure ??= error;
    // Their ends will not come.
    for (const stream of [this.#current, ...this.#arrived.map(({ stream }) => stream)]) stream?.destroy(error);
    this.#wakeAll();
  }

  /** Feeds the parser to the end of the body, or until nobody reads any more. Failures reach the reader. */
  async pump(body: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const piece of body) {
        if (this.#stopped) return;
        // What stands behind the end is no part.
        if (this.#finished) continue;
        if (!(await this.#write(piece))) return;
      }
      this.#parser.end();
    } catch (error) {
      this.fail(error instanceof CairnError ? error : new CairnError('internal', 'multipart', { cause: error }));
    }
  }

  /** Undefined after the last. */
  async next(): Promise<Part<Head> | undefined> {
    this.#current?.resume();
    await this.#until(() => this.#arrived.length > 0 || this.#finished || this.#failure !== undefined);
    const first = this.#arrived.shift();
    if (first === undefined && this.#failure !== undefined) throw this.#failure;
    this.#current = first?.stream;
    this.#wakeAll();
    return first?.part;
  }

  /** Nobody reads any more. */
  stop(): void {
    this.#stopped = true;
    this.#wakeAll();
  }

  /** Whether to go on. */
  async #write(piece: Uint8Array): Promise<boolean> {
    let taken = false;
    this.#parser.write(piece, () => {
      taken = true;
      this.#wakeAll();
    });
    const isOver = () => this.#stopped || this.#failure !== undefined;
    // A parser that has come to the end may have forgotten to ask for more.
    await this.#until(() => (taken && this.#arrived.length === 0) || this.#finished || isOver());
    return !isOver();
  }

  async *#read(stream: PartStream): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of stream.iterator({ destroyOnReturn: false })) yield piece;
    } catch (error) {
      throw this.#failure ?? error;
    }
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  #wakeAll(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}
