// A source for the store that is filled by events: what comes is copied into batches at once, without a promise, since the
// store is faster with few large pieces than with the 16 or 64 KiB that a connection brings. A batch waits for the store to
// ask, and then the sender is held up. Each piece is valid until the next is asked for.

import type { BatchBuffers } from './batch-buffers.js';

/** Where the bytes come from. Whoever is it calls `advance` at every change. */
export interface BatchFeed {
  /** The store has taken what it was given, and asks for more. */
  asked(): void;
  /** Puts what has come into the batches, as far as there is room. Throws what is wrong with it. */
  fill(): void;
  /** Nothing more will come into the batches. */
  readonly hasEnded: boolean;
  /** Lets the sender go on, where it was held up. */
  resume(): void;
  /** All was taken, or nothing more is asked for. May be called again. */
  leave(): void;
}

type Step = IteratorResult<Uint8Array, undefined>;

const done: Step = { done: true, value: undefined };

interface Question {
  readonly resolve: (step: Step) => void;
  readonly reject: (error: unknown) => void;
}

export class BatchedSource implements AsyncIterator<Uint8Array, undefined> {
  failure: unknown;
  readonly #feed: BatchFeed;
  readonly #batches: BatchBuffers;
  #hasLeft = false;
  /** An answer with what has come until then is due at the end of this turn. */
  #answersSoon = false;
  #question: Question | undefined;

  constructor(feed: BatchFeed, batches: BatchBuffers) {
    this.#feed = feed;
    this.#batches = batches;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Whether the store waits for what has not come yet. */
  get isWaiting(): boolean {
    return this.#question !== undefined;
  }

  next(): Promise<Step> {
    if (this.#hasLeft) return this.failure === undefined ? Promise.resolve(done) : Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.#question = { resolve, reject };
      this.#batches.release();
      this.#feed.asked();
      this.advance();
    });
  }

  return(): Promise<Step> {
    this.#leave();
    this.#question?.resolve(done);
    this.#question = undefined;
    return Promise.resolve(done);
  }

  #leave(): void {
    this.#hasLeft = true;
    this.#feed.leave();
  }

  /** Takes what has come, as far as there is room for it, and answers the store if it waits. */
  advance(): void {
    if (this.#hasLeft) return;
    try {
      if (this.failure === undefined) this.#feed.fill();
    } catch (error) {
      this.failure = error;
    }
    if (this.#question === undefined) return;
    if (this.failure !== undefined || this.#feed.hasEnded || this.#batches.isFull) this.#answer();
    else if (!this.#answersSoon && !this.#batches.isEmpty) {
      // More may come in this turn of the event loop; what has come by its end does not wait any longer.
      this.#answersSoon = true;
      setImmediate(() => {
        this.#answersSoon = false;
        this.#answer();
      });
    }
    if (this.#question !== undefined) this.#feed.resume();
  }

  #answer(): void {
    const question = this.#question;
    if (question === undefined) return;
    const { hasEnded } = this.#feed;
    const batch = this.failure === undefined ? this.#batches.take() : undefined;
    if (batch === undefined && this.failure === undefined && !hasEnded) return;
    this.#question = undefined;
    if (batch !== undefined) {
      question.resolve({ done: false, value: batch });
      // The other buffer has room.
      if (!hasEnded) this.#feed.resume();
      return;
    }
    this.#leave();
    if (this.failure === undefined) question.resolve(done);
    else question.reject(this.failure);
  }
}
