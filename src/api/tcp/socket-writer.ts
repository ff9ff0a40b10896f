// The way back on a connection. A message's parts go out together, so messages of several answers may follow one another in
// any order but never mix. A writer waits while the peer does not read; a peer that reads nothing for too long is given up.

import type { Duplex } from 'node:stream';
import type { Clock } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';

export class SocketWriter {
  readonly #stream: Duplex;
  readonly #clock: Clock;
  /** Set while the peer is behind. */
  #drained: Promise<void> | undefined;

  constructor(stream: Duplex, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
  }

  /** Resolves when there is room for more. `canceled` when the connection is gone. */
  async write(parts: readonly Uint8Array[]): Promise<void> {
    if (!this.#stream.writable) throw gone();
    this.#stream.cork();
    for (const part of parts) this.#stream.write(part);
    this.#stream.uncork();
    if (this.#stream.writableNeedDrain) this.#drained ??= this.#untilDrained();
    await this.#drained;
  }

  #untilDrained(): Promise<void> {
    return new Promise((resolve, reject) => {
      const stream = this.#stream;
      const cancelTimeout = this.#clock.after(limits.stalledBodyMillisecondsMax, () => stream.destroy());
      const settle = () => {
        cancelTimeout();
        stream.off('drain', settle).off('close', settle);
        this.#drained = undefined;
        if (stream.destroyed) reject(gone());
        else resolve();
      };
      stream.on('drain', settle).on('close', settle);
    });
  }
}

function gone(): CairnError {
  return new CairnError('canceled', 'the connection is gone');
}
