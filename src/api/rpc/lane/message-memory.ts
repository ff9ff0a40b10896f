// Memory for large messages that are put together from their runs, used again once their calls are answered. New memory
// for each would cost page faults, and have the collector go through the whole heap every few messages.

import { limits } from '../../../base/limits.js';
import { SpareBuffers } from '../../../base/spare-buffers.js';

export class MessageMemory {
  readonly #spares = new SpareBuffers(limits.laneSpareBytesMax, limits.laneSparesCountMax);

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
    return this.#spares.take();
  }

  /** Nobody needs the message any more. */
  release(message: Uint8Array): void {
    if (message.buffer.byteLength === limits.laneSpareBytesMax) this.#spares.give(new Uint8Array(message.buffer));
  }
}
