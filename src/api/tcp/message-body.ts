// The body of one message while it comes in. Whatever its reader leaves can be thrown away, so that the next message begins
// where it should.

import { CairnError } from '../../base/errors.js';
import { RunList } from '../../base/run-list.js';
import type { HeldBytes } from '../held-bytes.js';
import type { SocketReader } from './socket-reader.js';

export class MessageBody {
  /** Bytes that have not been read. */
  remaining: number;
  readonly #reader: SocketReader;

  constructor(reader: SocketReader, bytes: number) {
    this.#reader = reader;
    this.remaining = bytes;
  }

  /** The next bytes as they come, at most so many. */
  async *pieces(bytesMax = this.remaining): AsyncGenerator<Buffer, void> {
    for await (const piece of this.#reader.pieces(Math.min(bytesMax, this.remaining))) {
      this.remaining -= piece.length;
      yield piece;
    }
  }

  /** The next bytes together, charged to `held` as they come. `invalid_argument` when fewer remain. */
  async gather(bytes: number, held: HeldBytes): Promise<Buffer> {
    if (bytes > this.remaining) throw new CairnError('invalid_argument', 'the body ends before what it announces');
    const pieces = new RunList();
    for await (const piece of this.pieces(bytes)) {
      held.take(piece.length);
      pieces.push(piece);
    }
    return Buffer.concat(pieces.runs, bytes);
  }

  async discard(): Promise<void> {
    for await (const _piece of this.pieces());
  }
}
