// Memory for large messages that are put together from their runs, used again once their calls are answered. New memory
// for each would cost page faults, and have the collector go through the whole heap every few messages. A piece has the
// largest length or a half of it, a quarter and so on, so that a message takes less than twice what it needs.

import { limits } from '../../../base/limits.js';

export class MessageMemory {
  /** Pieces that wait for the next message, in the order in which they were given back. */
  readonly #spares: Uint8Array[] = [];
  #spareBytes = 0;

  /** One message of these bytes. Plain arrays whatever the runs are: views of a Buffer are dear, and there are thousands. */
  join(runs: readonly Uint8Array[]): Uint8Array {
    let length = 0;
    for (const run of runs) length += run.length;
    const memory = this.#take(length);
    let at = 0;
    for (const run of runs) {
      memory.set(run, at);
      at += run.length;
    }
    return memory.subarray(0, length);
  }

  #take(length: number): Uint8Array {
    if (length < limits.laneSpareBytesMin || length > limits.laneSpareBytesMax) return new Uint8Array(length);
    const fitting = pieceBytes(length);
    const index = this.#spares.findLastIndex((spare) => spare.length === fitting);
    if (index < 0) return new Uint8Array(fitting);
    this.#spareBytes -= fitting;
    return this.#spares.splice(index, 1)[0]!;
  }

  /** Nobody needs the message any more. */
  release({ buffer }: Uint8Array): void {
    if (buffer.byteLength > limits.laneSpareBytesMax || pieceBytes(buffer.byteLength) !== buffer.byteLength) return;
    this.#spares.push(new Uint8Array(buffer));
    this.#spareBytes += buffer.byteLength;
    while (this.#spareBytes > limits.laneSparesBytesMax) this.#spareBytes -= this.#spares.shift()!.length;
  }
}

/** Of the smallest piece that holds so many bytes. */
function pieceBytes(length: number): number {
  let bytes: number = limits.laneSpareBytesMax;
  while (bytes / 2 >= Math.max(length, limits.laneSpareBytesMin)) bytes /= 2;
  return bytes;
}
