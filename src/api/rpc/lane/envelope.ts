// The envelope of a streamed message, the same in gRPC, gRPC-Web and Connect: one byte of flags, four bytes of length
// (big-endian), the message. The reader accepts any split, and hands out runs of the bytes that came.

import { Code, ConnectError } from '@connectrpc/connect';
import { limits } from '../../../base/limits.js';
import { RunList } from '../../../base/run-list.js';

export const envelopeHeadBytes = 5;

export function encodeEnvelope(flags: number, message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(envelopeHeadBytes + message.length);
  bytes[0] = flags;
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, envelopeHeadBytes);
  return bytes;
}

/** Feed it with `push`; then take a head, the runs of its message, the next head, until it answers undefined: more bytes
 * are needed. The bytes pushed are kept until they are taken, so the feeder bounds what is held; many short pieces are joined. */
export class EnvelopeReader {
  /** Flags and length of the message under way, and how much of it is still to be taken. */
  flags = 0;
  length = 0;
  remaining = 0;
  /** Bytes pushed and not yet taken. */
  heldBytes = 0;
  readonly #pieces = new RunList();
  /** What of the first piece has been taken. */
  #taken = 0;
  readonly #head = new Uint8Array(envelopeHeadBytes);
  #headBytes = 0;

  push(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.heldBytes += piece.length;
  }

  /** Whether the bytes so far end inside an envelope. */
  get isInside(): boolean {
    return this.heldBytes > 0 || this.#headBytes > 0 || this.remaining > 0;
  }

  /** Reads the next envelope's head; false when it has not come yet. `resource_exhausted` for a message too large. */
  readHead(): boolean {
    while (this.#headBytes < envelopeHeadBytes) {
      const run = this.#take(envelopeHeadBytes - this.#headBytes);
      if (run === undefined) return false;
      this.#head.set(run, this.#headBytes);
      this.#headBytes += run.length;
    }
    const [flags, a, b, c, d] = this.#head as unknown as [number, number, number, number, number];
    this.#headBytes = 0;
    this.flags = flags;
    this.length = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    this.remaining = this.length;
    if (this.length > limits.requestMessageBytesMax) throw tooLarge(this.length);
    return true;
  }

  /** Bytes of the message under way, at most so many; undefined when none are here. Ask only while some remain. */
  takeRun(bytesMax: number): Uint8Array | undefined {
    const run = this.#take(Math.min(bytesMax, this.remaining));
    if (run !== undefined) this.remaining -= run.length;
    return run;
  }

  #take(bytesMax: number): Uint8Array | undefined {
    const first = this.#pieces.runs[0];
    if (first === undefined) return undefined;
    const end = Math.min(first.length, this.#taken + bytesMax);
    const run = this.#taken === 0 && end === first.length ? first : first.subarray(this.#taken, end);
    this.#taken = end;
    this.heldBytes -= run.length;
    if (end === first.length) {
      this.#pieces.shift();
      this.#taken = 0;
    }
    return run;
  }
}

/** In the words of the stock handler. */
export function tooLarge(bytes: number): ConnectError {
  return new ConnectError(
    `message size ${bytes} is larger than configured readMaxBytes ${limits.requestMessageBytesMax}`,
    Code.ResourceExhausted,
  );
}

export function incompleteEnvelope(): ConnectError {
  return new ConnectError('protocol error: incomplete envelope', Code.InvalidArgument);
}
