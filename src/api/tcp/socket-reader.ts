// The bytes of a connection, taken one message at a time. Nothing is read ahead of what is asked for but the stream's own
// buffer, so a peer is held up by TCP itself. One reader a connection, one reading at a time.
//
// A peer that has begun to send something must go on: within each stretch of time it moves so many bytes, or it is given up.

import type { Duplex } from 'node:stream';
import type { Clock } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';

export class SocketReader {
  readonly #stream: Duplex;
  readonly #clock: Clock;
  #ended = false;
  #stopped = false;
  #failure: unknown;
  #wake: () => void = () => {};

  constructor(stream: Duplex, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
    stream.on('readable', () => this.#wake());
    stream.on('end', () => this.#end());
    stream.on('close', () => this.#end());
    stream.on('error', (error) => {
      this.#failure = error;
      this.#end();
    });
  }

  /** So many bytes. Before the first of them: `idle` when none came in time, undefined when the peer has ended. */
  async read(bytes: number, idleMilliseconds: number): Promise<Buffer | 'idle' | undefined> {
    const first = await this.#piece(bytes, idleMilliseconds, () => this.#ended || this.#stopped);
    if (first === undefined) return undefined;
    if (first === 'late') return 'idle';
    const pieces = [first];
    for await (const piece of this.pieces(bytes - first.length)) pieces.push(piece);
    return Buffer.concat(pieces, bytes);
  }

  /** Exactly so many bytes, as they come. `canceled` when the peer ends before, `timeout` when it is too slow. */
  async *pieces(bytes: number): AsyncGenerator<Buffer, void> {
    let remaining = bytes;
    let owed = 0;
    let deadline = 0;
    while (remaining > 0) {
      if (owed <= 0) {
        owed = limits.lmofProgressBytesMin;
        deadline = this.#clock.monotonic() + limits.lmofProgressMillisecondsMax;
      }
      const piece = await this.#piece(remaining, deadline - this.#clock.monotonic());
      if (piece === 'late') throw new CairnError('timeout', 'the peer sends too slowly');
      if (piece === undefined) {
        throw new CairnError('canceled', 'the connection ended inside a message', { cause: this.#failure });
      }
      remaining -= piece.length;
      owed -= piece.length;
      yield piece;
    }
  }

  /** As if the peer had ended, for whoever waits for the first byte of something. */
  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** What is there, at most so many bytes; undefined at the end. */
  async #piece(
    bytesMax: number,
    milliseconds: number,
    isOver = () => this.#ended,
  ): Promise<Buffer | 'late' | undefined> {
    let isLate = milliseconds <= 0;
    const cancel = this.#clock.after(Math.max(0, milliseconds), () => {
      isLate = true;
      this.#wake();
    });
    try {
      for (;;) {
        // Asks for more without taking any.
        if (this.#stream.readableLength === 0) this.#stream.read(0);
        const bytes = Math.min(this.#stream.readableLength, bytesMax);
        if (bytes > 0) return this.#stream.read(bytes) as Buffer;
        if (isOver()) return undefined;
        if (isLate) return 'late';
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      cancel();
    }
  }
}
