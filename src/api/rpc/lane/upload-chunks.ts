// The chunks of an upload as a source for the store. An ordinary chunk message is never put together: its bytes are
// copied from the runs in which they came into a batch, whatever the messages' and the frames' bounds, since the store is
// faster with few large pieces than with the 16 KiB that HTTP/2 brings. Any other message, a compressed one too, is
// decoded as a whole, and means what the decoder makes of it. All that happens as the bytes come, without a promise; a
// batch waits for the store to ask, and then the sender is held up.

import type { Digest } from '../../../base/digest.js';
import { UploadRequestSchema } from '../../../gen/zako/v1/transport/transport_pb.js';
import { type ChunkSource, chunkOf, refuseExcess } from '../upload.js';
import type { BatchBuffers } from './batch-buffers.js';
import { ChunkPrefix } from './chunk-prefix.js';
import { messageReader, type RequestMessages } from './request-messages.js';

const readRequest = messageReader(UploadRequestSchema);

type Step = IteratorResult<Uint8Array, undefined>;

interface Question {
  readonly resolve: (step: Step) => void;
  readonly reject: (error: unknown) => void;
}

/** What the next byte belongs to. */
type Place = 'head' | 'prefix' | 'chunk' | 'message' | 'decompressing';

export class UploadChunks implements ChunkSource, AsyncIterator<Uint8Array, undefined> {
  failure: unknown;
  readonly #messages: RequestMessages;
  readonly #digest: Digest;
  readonly #batches: BatchBuffers;
  readonly #prefix = new ChunkPrefix();
  readonly #noteProgress: () => void;
  #place: Place = 'head';
  /** Bytes of all chunks whose messages have begun. */
  #announcedBytes = 0;
  /** A decoded message's chunk, and how much of it is in a batch. */
  #decoded: Uint8Array | undefined;
  #ended = false;
  /** An answer with what has come until then is due at the end of this turn. */
  #answersSoon = false;
  #question: Question | undefined;

  /** `noteProgress` is called each time the store asks for more. */
  constructor(messages: RequestMessages, digest: Digest, batches: BatchBuffers, noteProgress: () => void) {
    this.#noteProgress = noteProgress;
    this.#messages = messages;
    this.#digest = digest;
    this.#batches = batches;
    messages.envelopes.onChange = () => this.#advance();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Step> {
    return new Promise((resolve, reject) => {
      this.#question = { resolve, reject };
      this.#batches.release();
      this.#noteProgress();
      this.#advance();
      if (this.#question !== undefined) this.#messages.envelopes.resume();
    });
  }

  /** Leaves the rest of the request where it is. */
  return(): Promise<Step> {
    this.#ended = true;
    this.#messages.envelopes.onChange = () => {};
    this.#question?.resolve({ done: true, value: undefined });
    this.#question = undefined;
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Takes what has come, as far as there is room for it, and answers the store if it waits. */
  #advance(): void {
    try {
      if (this.failure === undefined) this.#fill();
    } catch (error) {
      this.failure = error;
    }
    if (this.#question === undefined) return;
    if (this.failure !== undefined || this.#ended || this.#batches.isFull) this.#answer();
    else if (!this.#answersSoon && !this.#batches.isEmpty) {
      // More may come in this turn of the event loop; what has come by its end does not wait any longer.
      this.#answersSoon = true;
      setImmediate(() => {
        this.#answersSoon = false;
        this.#answer();
      });
    }
  }

  #answer(): void {
    const question = this.#question;
    if (question === undefined) return;
    const batch = this.failure === undefined ? this.#batches.take() : undefined;
    if (batch === undefined && this.failure === undefined && !this.#ended) return;
    this.#question = undefined;
    if (this.failure !== undefined) question.reject(this.failure);
    else question.resolve(batch === undefined ? { done: true, value: undefined } : { done: false, value: batch });
    // The other buffer has room.
    if (!this.#ended) this.#messages.envelopes.resume();
  }

  #fill(): void {
    this.#messages.envelopes.throwIfFailed();
    while (!this.#ended && !this.#batches.isFull && this.#step());
  }

  /** One step through the messages; false when it needs more bytes. */
  #step(): boolean {
    const { envelopes } = this.#messages;
    const { reader } = envelopes;
    if (this.#decoded !== undefined) {
      this.#decoded = this.#batches.add(this.#decoded);
      return true;
    }
    switch (this.#place) {
      case 'head': {
        const head = envelopes.nextHead();
        if (head === undefined) return false;
        this.#ended = !head;
        this.#prefix.reset();
        this.#place = reader.flags === 0 && reader.remaining > 0 ? 'prefix' : this.#beginMessage();
        return true;
      }
      case 'prefix': {
        const run = envelopes.nextRun(1);
        if (run === undefined) return false;
        const isChunk = this.#prefix.take(run[0]!, reader.remaining);
        if (isChunk === true) this.#place = this.#beginChunk(reader.remaining);
        else if (isChunk === false) this.#place = this.#beginMessage();
        return true;
      }
      case 'chunk': {
        if (reader.remaining === 0) {
          this.#place = 'head';
          return true;
        }
        const run = envelopes.nextRun(this.#batches.room);
        if (run === undefined) return false;
        this.#batches.add(run);
        return true;
      }
      case 'message': {
        if (!this.#messages.gather()) return false;
        const decoded = this.#messages.decode(readRequest);
        if (decoded instanceof Promise) {
          this.#place = 'decompressing';
          decoded.then(
            (message) => this.#goOn(() => message && this.#takeDecoded(chunkOf(message))),
            (error: unknown) =>
              this.#goOn(() => {
                throw error;
              }),
          );
          return false;
        }
        this.#place = 'head';
        if (decoded !== undefined) this.#takeDecoded(chunkOf(decoded));
        return true;
      }
      case 'decompressing':
        return false;
    }
  }

  #goOn(take: () => void): void {
    this.#place = 'head';
    try {
      take();
    } catch (error) {
      this.failure ??= error;
    }
    this.#advance();
    if (this.#question !== undefined) this.#messages.envelopes.resume();
  }

  #beginMessage(): Place {
    this.#messages.begin(this.#prefix.bytes);
    return 'message';
  }

  #beginChunk(bytes: number): Place {
    this.#count(bytes);
    return 'chunk';
  }

  #takeDecoded(chunk: Uint8Array): void {
    this.#count(chunk.length);
    this.#decoded = chunk.length > 0 ? chunk : undefined;
  }

  #count(bytes: number): void {
    this.#announcedBytes += bytes;
    refuseExcess(this.#digest, this.#announcedBytes);
  }
}
