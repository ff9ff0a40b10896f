// The envelopes of a request, pulled from its stream. Bytes that nobody has asked for yet are held up to a limit, then the
// stream is paused: Node stops granting its window, and the sender stops. A call that has ended throws the rest away.

import { Code, ConnectError } from '@connectrpc/connect';
import type { Clock } from '../../../base/clock.js';
import { CairnError } from '../../../base/errors.js';
import { limits } from '../../../base/limits.js';
import { EnvelopeReader, incompleteEnvelope } from './envelope.js';
import type { Exchange } from './exchange.js';

export class RequestEnvelopes {
  /** Bytes that have come. */
  receivedBytes = 0;
  hasEnded = false;
  readonly reader = new EnvelopeReader();
  readonly #exchange: Exchange;
  /** Wakes who waits for bytes, an end, or a failure. */
  #wake: (() => void) | undefined;
  #failure: { readonly reason: unknown } | undefined;
  #discarding = false;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    const { source } = exchange;
    source.on('data', (piece: Uint8Array) => this.#take(piece));
    source.once('end', () => this.#end());
    source.once('error', (error) => this.fail(cutOff(error)));
    source.once('close', () => {
      if (!this.hasEnded) this.fail(cutOff(undefined));
    });
  }

  #take(piece: Uint8Array): void {
    this.receivedBytes += piece.length;
    if (this.#discarding) return;
    this.reader.push(piece);
    if (this.reader.heldBytes >= limits.laneHeldBytesMax && this.#wake === undefined) this.#exchange.source.pause();
    this.#awaken();
  }

  #end(): void {
    if (this.#exchange.wasReset()) this.fail(cutOff(undefined));
    this.hasEnded = true;
    this.#awaken();
  }

  #awaken(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Makes every later question fail, and the one that waits. The first reason stays. */
  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#awaken();
  }

  /** Ends waiting for bytes without a failure. */
  interrupt(): void {
    this.#awaken();
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.reason;
  }

  /** Resolves when bytes have come or something ended the wait. Ask again afterwards what there is. */
  wait(): Promise<void> {
    if (this.#failure !== undefined || this.hasEnded) return Promise.resolve();
    this.#exchange.source.resume();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Reads the next head; false at the end. `invalid_argument` when the request ends inside an envelope. */
  async nextHead(): Promise<boolean> {
    for (;;) {
      this.throwIfFailed();
      if (this.reader.readHead()) return true;
      if (this.hasEnded) {
        if (this.reader.isInside) throw incompleteEnvelope();
        return false;
      }
      await this.wait();
    }
  }

  /** What is left of the message under way, after the bytes of it that were taken before. */
  async restOfMessage(taken: Uint8Array): Promise<Uint8Array> {
    const runs = taken.length > 0 ? [taken] : [];
    while (this.reader.remaining > 0) {
      this.throwIfFailed();
      const run = this.reader.takeRun(this.reader.remaining);
      if (run !== undefined) runs.push(run);
      else if (this.hasEnded) throw incompleteEnvelope();
      else await this.wait();
    }
    return runs.length === 1 ? runs[0]! : Buffer.concat(runs);
  }

  /** Throws away what comes from now on; calls `giveUp` of the exchange when that has not ended in time. */
  discard(clock: Clock): void {
    if (this.hasEnded || this.#exchange.isGone) return;
    this.#discarding = true;
    const { source } = this.#exchange;
    const cancel = clock.after(limits.lingerMillisecondsMax, () => this.#exchange.giveUp());
    source.once('end', cancel).once('close', cancel);
    source.resume();
  }
}

function cutOff(cause: unknown): ConnectError {
  return new ConnectError('the request was cut off', Code.Canceled, undefined, undefined, cause);
}

/** What waits fail with when the call has to end. */
export function callEnded(reason: unknown): CairnError {
  return new CairnError('canceled', 'the call was canceled', { cause: reason });
}
