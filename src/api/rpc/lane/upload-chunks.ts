// The chunks of an upload as a source for the store. An ordinary chunk message (field 2, then nothing) is never put
// together: its bytes are handed on in the runs in which they came. Any other message, a compressed one too, is decoded as a
// whole, and means what the decoder makes of it.

import type { Digest } from '../../../base/digest.js';
import { UploadRequestSchema } from '../../../gen/zako/v1/transport/transport_pb.js';
import { type ChunkSource, chunkOf, refuseExcess } from '../upload.js';
import { incompleteEnvelope } from './envelope.js';
import type { RequestMessages } from './request-messages.js';

/** UploadRequest.chunk: field 2, length-delimited. */
const chunkTag = 0x12;
/** Tag and length of the longest message we take. */
const prefixBytesMax = 5;

type Step = IteratorResult<Uint8Array, undefined>;

export class UploadChunks implements ChunkSource, AsyncIterator<Uint8Array, undefined> {
  failure: unknown;
  readonly #messages: RequestMessages;
  readonly #digest: Digest;
  #receivedBytes = 0;
  /** Inside a chunk, whose runs may be handed on. */
  #inChunk = false;
  /** The first bytes of the message under way, until they tell what it is. */
  readonly #prefix = new Uint8Array(prefixBytesMax);
  #prefixBytes = 0;
  #ended = false;

  constructor(messages: RequestMessages, digest: Digest) {
    this.#messages = messages;
    this.#digest = digest;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Step> {
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    const { envelopes } = this.#messages;
    if (this.#inChunk && envelopes.reader.remaining > 0) {
      const run = envelopes.reader.takeRun(envelopes.reader.remaining);
      if (run !== undefined) return Promise.resolve({ done: false, value: run });
    }
    return this.#next();
  }

  /** Leaves the rest of the request where it is. */
  return(): Promise<Step> {
    this.#ended = true;
    this.#messages.envelopes.interrupt();
    return Promise.resolve({ done: true, value: undefined });
  }

  async #next(): Promise<Step> {
    try {
      const value = await this.#nextRun();
      return value === undefined ? { done: true, value } : { done: false, value };
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }

  async #nextRun(): Promise<Uint8Array | undefined> {
    const { envelopes } = this.#messages;
    const { reader } = envelopes;
    while (!this.#ended) {
      if (this.#inChunk && reader.remaining > 0) {
        envelopes.throwIfFailed();
        const run = reader.takeRun(reader.remaining);
        if (run !== undefined) return run;
        if (envelopes.hasEnded) throw incompleteEnvelope();
        await envelopes.wait();
        continue;
      }
      this.#inChunk = false;
      if (!(await envelopes.nextHead())) return undefined;
      if (await this.#beginsChunk()) {
        this.#count(reader.remaining);
        this.#inChunk = true;
        continue;
      }
      const message = await this.#messages.rest(UploadRequestSchema, this.#prefix.slice(0, this.#prefixBytes));
      if (message === undefined) continue;
      const chunk = chunkOf(message);
      this.#count(chunk.length);
      return chunk;
    }
    return undefined;
  }

  #count(bytes: number): void {
    this.#receivedBytes += bytes;
    refuseExcess(this.#digest, this.#receivedBytes);
  }

  /** Takes first bytes of the message under way until they tell whether all that follows is one chunk's bytes. */
  async #beginsChunk(): Promise<boolean> {
    const { envelopes } = this.#messages;
    const { reader } = envelopes;
    this.#prefixBytes = 0;
    if (reader.flags !== 0) return false;
    let length = 0;
    while (reader.remaining > 0 && this.#prefixBytes < prefixBytesMax) {
      const byte = reader.takeRun(1)?.[0];
      if (byte === undefined) {
        envelopes.throwIfFailed();
        if (envelopes.hasEnded) throw incompleteEnvelope();
        await envelopes.wait();
        continue;
      }
      const index = this.#prefixBytes++;
      this.#prefix[index] = byte;
      if (index === 0) {
        if (byte !== chunkTag) return false;
        continue;
      }
      length |= (byte & 0x7f) << (7 * (index - 1));
      if (byte < 0x80) return length === reader.remaining;
    }
    return false;
  }
}
