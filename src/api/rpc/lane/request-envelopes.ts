// The envelopes of a request as they come from its stream. Whoever reads them is called at every change and takes what is
// there; what nobody takes is held up to a limit, then the stream is paused: Node stops granting its window, and the
// sender stops. A call that has ended throws the rest away.

import { Code, ConnectError } from '@connectrpc/connect';
import type { Clock } from '../../../base/clock.js';
import { limits } from '../../../base/limits.js';
import { EnvelopeReader, incompleteEnvelope } from './envelope.js';
import type { Exchange } from './exchange.js';

export class RequestEnvelopes {
  /** Bytes that have come. */
  receivedBytes = 0;
  /** Nothing more will come, and nothing is missing. */
  hasEnded = false;
  /** Called when bytes have come, the request has ended, or it has failed. Must not throw. */
  onChange: () => void = () => {};
  readonly reader = new EnvelopeReader();
  readonly #exchange: Exchange;
  #failure: { readonly reason: unknown } | undefined;
  #discarding = false;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    const { source } = exchange;
    source.on('data', (piece: Uint8Array) => this.#take(piece));
    source.on('end', () => this.#end());
  }

  #take(piece: Uint8Array): void {
    this.receivedBytes += piece.length;
    if (this.#discarding) return;
    this.reader.push(piece);
    this.onChange();
    if (this.reader.heldBytes >= limits.laneHeldBytesMax) this.#exchange.source.pause();
  }

  #end(): void {
    if (this.#exchange.wasReset()) {
      this.fail(cutOff());
      return;
    }
    this.hasEnded = true;
    this.onChange();
  }

  /** The exchange is closed: what has not come will not come. */
  close(): void {
    if (!this.hasEnded) this.fail(cutOff());
  }

  /** Makes every later reading fail. The first reason stays. */
  fail(reason: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { reason };
    this.onChange();
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.reason;
  }

  /** Lets the sender go on, where it was held up. */
  resume(): void {
    const { source } = this.#exchange;
    if (source.isPaused()) source.resume();
  }

  /** Reads the next head: whether there is one; undefined while that is not known. `invalid_argument` when cut inside. */
  nextHead(): boolean | undefined {
    this.throwIfFailed();
    if (this.reader.readHead()) return true;
    if (!this.hasEnded) return undefined;
    if (this.reader.isInside) throw incompleteEnvelope();
    return false;
  }

  /** The next bytes of the message under way, at most so many; undefined until they come. Ask only while some remain. */
  nextRun(bytesMax: number): Uint8Array | undefined {
    this.throwIfFailed();
    const run = this.reader.takeRun(bytesMax);
    if (run === undefined && this.hasEnded) throw incompleteEnvelope();
    return run;
  }

  /** Throws away what comes from now on; ends the exchange when that has not ended in time. */
  discard(clock: Clock): void {
    if (this.hasEnded || this.#exchange.isGone) return;
    this.#discarding = true;
    const { source } = this.#exchange;
    const cancel = clock.after(limits.lingerMillisecondsMax, () => this.#exchange.giveUp());
    source.once('end', cancel).once('close', cancel);
    source.resume();
  }
}

function cutOff(): ConnectError {
  return new ConnectError('the request was cut off', Code.Canceled);
}
