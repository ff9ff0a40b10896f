// The life of one call on the lane: begun with its headers, ended by its answer, its deadline, its caller's going away or
// the server's shutdown, whichever comes first; recorded once, when its exchange is closed.

import { Code, ConnectError } from '@connectrpc/connect';
import { CairnError } from '../../../base/errors.js';
import { limits } from '../../../base/limits.js';
import type { SpareBuffers } from '../../../base/spare-buffers.js';
import type { Principal } from '../../auth/principal.js';
import type { ErrorContext } from '../../error-map.js';
import { HeldBytes } from '../../held-bytes.js';
import type { BatchCall } from '../batch-call.js';
import { type CallSignal, refusalOf } from '../call-ending.js';
import { callRecorder } from '../call-recorder.js';
import type { CallState } from '../call-state.js';
import type { RpcParts } from '../rpc-parts.js';
import type { Exchange } from './exchange.js';
import type { AnswerEnd, LaneProtocol } from './protocols.js';
import { RequestEnvelopes } from './request-envelopes.js';

export class LaneCall implements CallSignal {
  readonly envelopes: RequestEnvelopes;
  /** Whether the call has to end before it is answered, and why. */
  aborted = false;
  reason: unknown;
  readonly #parts: RpcParts;
  readonly #frames: SpareBuffers;
  readonly #exchange: Exchange;
  readonly #protocol: LaneProtocol;
  readonly #state: CallState;
  /** Messages, and answers put together from blobs. */
  readonly held: HeldBytes;
  #controller: AbortController | undefined;
  #wake: (() => void) | undefined;
  #hasBegun = false;
  #hasEnded = false;
  #hasStalled = false;
  #sentBytes = 0;
  /** What the answer lies in. */
  #frame: Uint8Array | undefined;

  constructor(
    parts: RpcParts,
    frames: SpareBuffers,
    exchange: Exchange,
    protocol: LaneProtocol,
    method: string,
    closed: () => void,
  ) {
    this.#parts = parts;
    this.#frames = frames;
    this.#exchange = exchange;
    this.#protocol = protocol;
    this.#state = { id: parts.nextCallId(), method, account: '', code: undefined };
    this.envelopes = new RequestEnvelopes(exchange);
    this.held = new HeldBytes(parts.messageBudget);
    const record = callRecorder(parts, this.#state, { peer: exchange.connection.peer, protocol: protocol.name });
    exchange.onClose(() => {
      closed();
      this.held.release();
      this.envelopes.close();
      if (!this.#hasEnded) this.abort(undefined);
      record(this.#hasEnded, this.envelopes.receivedBytes, this.#sentBytes);
    });
  }

  /** Notes who calls. */
  admitted({ name }: Principal): void {
    this.#state.account = name;
  }

  /** The store has taken what has come so far, and asks for more. */
  noteProgress(): void {
    this.#exchange.noteProgress(this.#parts.windows, this.envelopes.receivedBytes);
  }

  /** What this call, like every other, may ask for bytes beyond its floor. */
  get memory(): Pick<RpcParts, 'budget' | 'clock'> {
    const { budget, clock } = this.#parts;
    return { budget, clock };
  }

  /** For translating what befell single items. */
  get errors(): ErrorContext {
    const { id: callId, method } = this.#state;
    return { logger: this.#parts.logger, method, callId, outOfRange: Code.OutOfRange };
  }

  /** What a batch needs to know of it. */
  get batch(): BatchCall {
    return { signal: this.signal, errors: this.errors, json: false, held: this.held };
  }

  /** For those who must be told; made when first asked for. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  /** The call has to end. What it does next fails; the first reason stays. */
  abort(reason: unknown): void {
    if (this.aborted || this.#hasEnded) return;
    this.aborted = true;
    this.reason = reason;
    this.envelopes.fail(callEnded(reason));
    this.#controller?.abort(reason);
    this.#awaken();
  }

  /**
   * From now on, until the answer's function is called, the call ends when it waits for its caller and nothing moves for too
   * long: what it keeps open would be kept for as long as the connection lives.
   */
  watchCaller(isWaiting: () => boolean = () => this.#wake !== undefined): () => void {
    let movedBefore = -1;
    let cancel: () => void;
    const look = () => {
      const moved = this.envelopes.receivedBytes + this.#sentBytes;
      if (moved === movedBefore && isWaiting()) {
        this.#hasStalled = true;
        this.abort(new ConnectError('the caller has stalled', Code.DeadlineExceeded));
        return;
      }
      movedBefore = moved;
      cancel = this.#parts.clock.after(limits.stalledBodyMillisecondsMax, look);
    };
    look();
    return () => cancel();
  }

  throwIfAborted(): void {
    if (this.aborted) throw callEnded(this.reason);
  }

  #awaken(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /**
   * Sends bytes together. Resolves when they have left, so that their memory may be used again; or when the call has to
   * end, and they may still be on their way.
   */
  send(pieces: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (this.aborted) this.#awaken();
      else this.#write(pieces, () => this.#awaken());
    });
  }

  #write(pieces: readonly Uint8Array[], written: () => void): void {
    const { sink } = this.#exchange;
    this.#begin();
    sink.cork();
    for (const [index, piece] of pieces.entries()) {
      this.#sentBytes += piece.length;
      if (index < pieces.length - 1) sink.write(piece);
      else sink.write(piece, written);
    }
    sink.uncork();
  }

  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#exchange.begin(this.#protocol.contentType, this.#protocol.needsHttp2 ? 'trailers' : 'envelope');
  }

  /** Memory for all of a small answer, its envelope included; taken back when the answer has left. */
  lendFrame(): Uint8Array {
    this.#frame = this.#frames.take();
    return this.#frame;
  }

  /** Answers with these last bytes, in full. */
  succeed(pieces: readonly Uint8Array[]): void {
    this.#state.code = 'ok';
    const { bytes, trailers } = this.#protocol.end(undefined);
    if (trailers === undefined) this.#end(bytes === undefined ? pieces : [...pieces, bytes], {});
    else this.#end(pieces, { trailers });
  }

  /** Answers with an error, after whatever was sent before it. */
  fail(error: unknown): void {
    const { bytes, trailers } = this.#protocol.end(refusalOf(this.#parts, this.#state, error, this));
    this.#end(bytes === undefined ? [] : [bytes], trailers === undefined ? {} : { trailers });
  }

  #end(pieces: readonly Uint8Array[], last: AnswerEnd): void {
    this.#hasEnded = true;
    if (this.#exchange.isGone) {
      this.#exchange.destroy();
      return;
    }
    if (this.#hasStalled && this.#hasBegun) {
      // Who does not take what is on its way would not take an end behind that.
      this.#exchange.giveUp();
      return;
    }
    const { sink } = this.#exchange;
    const frame = this.#frame;
    if (frame !== undefined || !this.envelopes.hasEnded) {
      // Bytes of an answer that is broken off may still be on their way.
      sink.on('finish', () => {
        if (frame !== undefined) this.#frames.give(frame);
        this.envelopes.discard(this.#parts.clock);
      });
    }
    this.#begin();
    const [only] = pieces;
    if (pieces.length === 1 && only !== undefined) {
      this.#sentBytes += only.length;
      this.#exchange.end({ ...last, bytes: only });
      return;
    }
    sink.cork();
    for (const piece of pieces) {
      this.#sentBytes += piece.length;
      sink.write(piece);
    }
    // Uncorks.
    this.#exchange.end(last);
  }
}

/** What waits fail with when the call has to end. */
function callEnded(reason: unknown): CairnError {
  return new CairnError('canceled', 'the call was canceled', { cause: reason });
}
