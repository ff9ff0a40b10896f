// The chunks of an upload, for the store's batches. An ordinary chunk message is never put together: its bytes are copied
// from the runs in which they came, whatever the messages' and the frames' bounds. Any other message, a compressed one too,
// is decoded as a whole, and means what the decoder makes of it. All that happens as the bytes come, without a promise.

import type { Digest } from '../../../base/digest.js';
import { UploadRequestSchema } from '../../../gen/zako/v1/transport/transport_pb.js';
import type { BatchBuffers } from '../../batch-buffers.js';
import { BatchedSource, type BatchFeed } from '../../batched-source.js';
import { chunkOf, refuseExcess } from '../upload.js';
import { ChunkPrefix } from './chunk-prefix.js';
import { messageReader, type RequestMessages } from './request-messages.js';

const readRequest = messageReader(UploadRequestSchema);

/** What the next byte belongs to. */
type Place = 'head' | 'prefix' | 'chunk' | 'message' | 'decompressing';

export class UploadChunks implements BatchFeed {
  /** What the store reads. */
  readonly source: BatchedSource;
  hasEnded = false;
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
  /** What was wrong with a decompressed message. */
  #refusal: { readonly reason: unknown } | undefined;

  /** `noteProgress` is called each time the store asks for more. */
  constructor(messages: RequestMessages, digest: Digest, batches: BatchBuffers, noteProgress: () => void) {
    this.#noteProgress = noteProgress;
    this.#messages = messages;
    this.#digest = digest;
    this.#batches = batches;
    this.source = new BatchedSource(this, batches);
    messages.envelopes.onChange = () => this.source.advance();
  }

  asked(): void {
    this.#noteProgress();
  }

  resume(): void {
    this.#messages.envelopes.resume();
  }

  leave(): void {
    this.hasEnded = true;
    this.#messages.envelopes.onChange = () => {};
  }

  fill(): void {
    if (this.#refusal !== undefined) throw this.#refusal.reason;
    this.#messages.envelopes.throwIfFailed();
    while (!this.hasEnded && !this.#batches.isFull && this.#step());
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
        this.hasEnded = !head;
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
    } catch (reason) {
      this.#refusal ??= { reason };
    }
    this.source.advance();
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
