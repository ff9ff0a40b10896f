// Whole messages of a request: decompressed where they are compressed, and none larger than a message may be.

import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { type Compression, compressedFlag } from '@connectrpc/connect/protocol';
import { limits } from '../../../base/limits.js';
import { RunList } from '../../../base/run-list.js';
import type { HeldBytes } from '../../held-bytes.js';
import { tooLarge } from './envelope.js';
import type { MessageMemory } from './message-memory.js';
import type { LaneProtocol } from './protocols.js';
import type { RequestEnvelopes } from './request-envelopes.js';

/** More bytes have to come. */
const waits = Symbol('waits');
/** An envelope was taken that holds no message. */
const nothing = Symbol('nothing');
type Read<T> = (bytes: Uint8Array) => T | Promise<T>;
/** A message, or undefined at the end. */
type Step<T> = T | undefined | typeof waits | typeof nothing;

export class RequestMessages {
  readonly envelopes: RequestEnvelopes;
  readonly #protocol: LaneProtocol;
  readonly #compression: Compression | null;
  readonly #memory: MessageMemory;
  /** Longer messages are counted there, until they are released. */
  readonly #held: HeldBytes;
  #heldBytes = 0;
  /** Behind the head of a message, and not at its end. */
  #isInside = false;
  /** The runs of the message under way. */
  #runs = new RunList();
  /** The last message that was put together. */
  #joined: Uint8Array | undefined;

  constructor(
    envelopes: RequestEnvelopes,
    protocol: LaneProtocol,
    compression: Compression | null,
    { memory, held }: { readonly memory: MessageMemory; readonly held: HeldBytes },
  ) {
    this.#held = held;
    this.envelopes = envelopes;
    this.#protocol = protocol;
    this.#compression = compression;
    this.#memory = memory;
  }

  /**
   * The next message as `read` makes it; undefined at the end. A promise only when it has to be waited for, was compressed, or
   * is read in steps; takes over the envelopes' `onChange` until then.
   */
  next<T>(read: Read<T>, onProgress = () => {}): Promise<T | undefined> | T | undefined {
    const step = this.#step(read);
    const isAnswer = step !== waits && step !== nothing && !(step instanceof Promise);
    return isAnswer ? step : this.#later(step, read, onProgress);
  }

  async #later<T>(first: Step<T> | Promise<Step<T>>, read: Read<T>, onProgress: () => void): Promise<T | undefined> {
    for (let step = first; ; step = this.#step(read)) {
      const taken = step instanceof Promise ? await step : step;
      if (taken === waits) {
        onProgress();
        await this.#change();
      } else if (taken !== nothing) return taken;
    }
  }

  #step<T>(read: Read<T>): Step<T> | Promise<Step<T>> {
    if (!this.#isInside) {
      const head = this.envelopes.nextHead();
      if (head === undefined) return waits;
      if (!head) return undefined;
      this.#giveBack();
      this.#isInside = true;
    }
    if (!this.gather()) return waits;
    this.#isInside = false;
    const decoded = this.decode(read);
    return decoded instanceof Promise ? decoded.then((message) => message ?? nothing) : (decoded ?? nothing);
  }

  /** The message of a request that has no other, with a call of `onProgress` for whatever has come of it. */
  async only<T>(kind: 'unary' | 'server-streaming', read: Read<T>, onProgress = () => {}): Promise<T> {
    await this.#arrival();
    const first = this.next(read, onProgress);
    const message = first instanceof Promise ? await first : first;
    if (message === undefined) throw miscounted(`missing input message for ${kind} method`);
    const second = this.next(read);
    const extra = second instanceof Promise ? await second : second;
    if (extra !== undefined) throw miscounted(`received extra input message for ${kind} method`);
    return message;
  }

  /** Resolves when all of a request is here, or as much as is held unread: a small one then needs no further waiting. */
  #arrival(): Promise<void> {
    const { envelopes } = this;
    return new Promise((resolve) => {
      envelopes.onChange = () => {
        if (!envelopes.hasEnded && !envelopes.hasFailed && envelopes.reader.heldBytes < limits.laneHeldBytesMax) return;
        envelopes.onChange = () => {};
        resolve();
      };
      envelopes.onChange();
    });
  }

  /** Nobody needs the bytes of the last message any more, nor anything that was read out of them. */
  release(): void {
    this.#giveBack();
    if (this.#joined !== undefined) this.#memory.release(this.#joined);
    this.#joined = undefined;
  }

  #hold(bytes: number): void {
    this.#held.take(bytes);
    this.#heldBytes += bytes;
  }

  #giveBack(): void {
    this.#held.give(this.#heldBytes);
    this.#heldBytes = 0;
  }

  /** Begins the gathering of a message whose first bytes were taken already. */
  begin(taken: Uint8Array): void {
    this.#giveBack();
    this.#runs = new RunList();
    if (taken.length > 0) this.#runs.push(taken);
  }

  /** Takes what has come of the message under way; whether that was all of it. */
  gather(): boolean {
    const { envelopes } = this;
    while (envelopes.reader.remaining > 0) {
      const run = envelopes.nextRun(envelopes.reader.remaining);
      if (run === undefined) return false;
      // What is shorter is held without being asked for, as every stream may.
      if (envelopes.reader.length > limits.laneHeldBytesMax) this.#hold(run.length);
      this.#runs.push(run);
    }
    return true;
  }

  /** The message that was gathered; undefined for the sender's end. A promise only when it was compressed, or is read in steps. */
  decode<T>(read: Read<T>): Promise<T | undefined> | T | undefined {
    const { flags } = this.envelopes.reader;
    const { runs } = this.#runs;
    const bytes = runs.length === 1 ? runs[0]! : this.#memory.join(runs);
    this.#joined = runs.length === 1 ? undefined : bytes;
    this.#runs = new RunList();
    const isEnd = this.#protocol.endFlag !== 0 && (flags & this.#protocol.endFlag) === this.#protocol.endFlag;
    if ((flags & compressedFlag) === 0) return isEnd ? undefined : read(bounded(bytes));
    return this.#decompress(bytes).then((plain) => {
      this.#hold(plain.length);
      return isEnd ? undefined : read(bounded(plain));
    });
  }

  async #decompress(bytes: Uint8Array): Promise<Uint8Array> {
    if (this.#compression === null) {
      throw new ConnectError('received compressed envelope, but do not know how to decompress', Code.Internal);
    }
    return this.#compression.decompress(bytes as Uint8Array<ArrayBuffer>, limits.requestMessageBytesMax);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.envelopes.onChange = () => {
        this.envelopes.onChange = () => {};
        resolve();
      };
      this.envelopes.resume();
    });
  }
}

function miscounted(how: string): ConnectError {
  return new ConnectError(`protocol error: ${how}`, Code.Unimplemented);
}

function bounded(bytes: Uint8Array): Uint8Array {
  if (bytes.length > limits.requestMessageBytesMax) throw tooLarge(bytes.length);
  return bytes;
}

/** What reads messages of one kind, and fails in the words of the stock handler. */
export function messageReader<D extends DescMessage>(schema: D): (bytes: Uint8Array) => MessageShape<D> {
  return (bytes) => {
    try {
      return fromBinary(schema, bytes);
    } catch (error) {
      throw new ConnectError(`parse binary: ${error instanceof Error ? error.message : error}`, Code.Internal);
    }
  };
}
