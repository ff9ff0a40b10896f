// The body of a request for the store's batches: taken as it comes, by events. When there is no room for a piece, the rest of
// it waits and the request is paused. It fails like `readBody`, and reading it may be given up at any moment.

import { finished, type Readable } from 'node:stream';
import { assert, CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { BatchBuffers } from '../batch-buffers.js';
import { BatchedSource, type BatchFeed } from '../batched-source.js';
import type { Exchange } from './exchange.js';
import { brokeOff } from './request-body.js';

/** The body in large pieces, each valid until the next is asked for. Asks a waiting client to begin. */
export function readBatches(exchange: Exchange, declared: number | undefined): BatchedSource {
  return new BodyBatches(exchange, declared).source;
}

class BodyBatches implements BatchFeed {
  readonly source: BatchedSource;
  hasEnded = false;
  readonly #exchange: Exchange;
  readonly #batches: BatchBuffers;
  /** Of the last piece, what found no room. */
  #rest: Uint8Array | undefined;
  #isComplete = false;
  #failure: CairnError | undefined;
  #receivedBytes = 0;
  /** When the sender was last looked at. */
  #seenBytes = 0;
  #cancelWatch: (() => void) | undefined;
  #stopListening: (() => void) | undefined;

  constructor(exchange: Exchange, declared: number | undefined) {
    this.#exchange = exchange;
    this.#batches = new BatchBuffers(declared ?? limits.blobBytesMax, exchange.memory);
    this.source = new BatchedSource(this, this.#batches);
  }

  asked(): void {
    const { request, memory } = this.#exchange;
    this.#stopListening ??= this.#listen();
    if ('stream' in request) memory.windows?.moved(request.stream, this.#receivedBytes);
  }

  #listen(): () => void {
    const { request, response, expectsContinue } = this.#exchange;
    const take = (piece: Uint8Array) => this.#take(piece);
    const cleanUp = finished(request as Readable, { writable: false }, (cause) => {
      this.#end(cause != null || brokeOff(request) ? brokenOff(cause) : undefined);
    });
    request.on('data', take);
    if (expectsContinue) response.writeContinue();
    this.#watch();
    return () => {
      request.off('data', take);
      cleanUp();
    };
  }

  #take(piece: Uint8Array): void {
    assert(this.#rest === undefined, 'a paused request brings nothing');
    this.#rest = piece;
    this.#receivedBytes += piece.length;
    this.#exchange.bytesIn += piece.length;
    this.source.advance();
    if (this.#rest !== undefined) this.#exchange.request.pause();
  }

  #end(failure: CairnError | undefined): void {
    this.#cancelWatch?.();
    this.#isComplete = true;
    this.#failure ??= failure;
    this.source.advance();
  }

  /** A sender that is not held up and brings nothing for so long has stalled. */
  #watch(): void {
    this.#cancelWatch?.();
    this.#seenBytes = this.#receivedBytes;
    this.#cancelWatch = this.#exchange.clock.after(limits.stalledBodyMillisecondsMax, () => {
      if (this.#receivedBytes > this.#seenBytes || this.#rest !== undefined) this.#watch();
      else this.#end(new CairnError('timeout', 'the upload stalled'));
    });
  }

  fill(): void {
    if (this.#failure !== undefined) throw this.#failure;
    while (this.#rest !== undefined && !this.#batches.isFull) {
      if (this.#receivedBytes > limits.blobBytesMax) {
        throw new CairnError('too_large', `a blob has at most ${limits.blobBytesMax} bytes`);
      }
      if (this.#batches.room === 0) throw new CairnError('invalid_argument', 'the body is longer than was declared');
      this.#rest = this.#batches.add(this.#rest);
    }
    this.hasEnded = this.#isComplete && this.#rest === undefined;
  }

  resume(): void {
    const { request } = this.#exchange;
    if (this.#rest === undefined && request.isPaused()) request.resume();
  }

  leave(): void {
    this.#cancelWatch?.();
    this.#batches.close();
    this.#stopListening?.();
    // Once it is answered, what is left of it flows to nowhere.
    if (!this.#isComplete && !this.#exchange.response.writableEnded) this.#exchange.request.pause();
  }
}

function brokenOff(cause: unknown): CairnError {
  return new CairnError('canceled', 'the upload broke off', { cause });
}
