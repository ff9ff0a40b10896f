// The bytes of a request on their way to a handler: counted, and left on the connection when a handler ends early, since
// destroying a request that is answered before its end would take the answer with it. What is left is read and thrown
// away for a while, so that the answer arrives and the connection can be used again.

import { Code, ConnectError } from '@connectrpc/connect';
import type { Clock } from '../../base/clock.js';
import { limits } from '../../base/limits.js';
import { publicMessage } from '../error-map.js';
import type { HeldBytes } from '../held-bytes.js';
import type { NodeRequest } from '../request-listener.js';
import type { StreamWindows } from '../stream-windows.js';

export interface RequestBodyParts {
  readonly request: NodeRequest;
  readonly source: AsyncIterable<Uint8Array>;
  readonly windows?: StreamWindows;
  /** Counts the bytes of a body that is one message, and so has to be whole. */
  readonly held?: HeldBytes | undefined;
}

export class RequestBody implements AsyncIterable<Uint8Array> {
  /** Bytes handed out so far. */
  bytes = 0;
  readonly #request: NodeRequest;
  readonly #source: AsyncIterable<Uint8Array>;
  readonly #windows: StreamWindows | undefined;
  #held: HeldBytes | undefined;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  #ended = false;
  #refusal: Error | undefined;

  constructor({ request, source, windows, held }: RequestBodyParts) {
    this.#request = request;
    this.#source = source;
    this.#windows = windows;
    this.#held = held;
  }

  /** Nothing is to be read, not even by who asks for it: that fails with this error. */
  refuse(error: Error): void {
    this.#refusal = error;
  }

  /** Has no `return`: ending early leaves the rest where it is. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return { next: () => this.#next() };
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#refusal !== undefined) throw this.#refusal;
    this.#iterator ??= this.#source[Symbol.asyncIterator]();
    let step: IteratorResult<Uint8Array>;
    try {
      step = await this.#iterator.next();
    } catch (error) {
      this.#ended = true;
      throw cutOff(error);
    }
    if (!step.done) {
      this.bytes += step.value.length;
      this.#hold(step.value.length);
      if ('stream' in this.#request) this.#windows?.moved(this.#request.stream, this.bytes);
    } else {
      this.#ended = true;
      if (wasReset(this.#request)) throw cutOff(undefined);
    }
    return step;
  }

  /** `resource_exhausted`, in the transport's words since no method sees it, when all RPCs together hold too much. */
  #hold(bytes: number): void {
    if (this.#held === undefined || this.bytes <= limits.laneHeldBytesMax) return;
    try {
      this.#held.take(bytes);
    } catch (error) {
      this.#held = undefined;
      throw new ConnectError(publicMessage(error), Code.ResourceExhausted);
    }
  }

  /** Throws the rest away; calls `giveUp` when it has not ended after so many milliseconds. */
  async drain(clock: Clock, milliseconds: number, giveUp: () => void): Promise<void> {
    this.#refusal = undefined;
    // A body that nobody began to read is thrown away by Node.
    if (this.#iterator === undefined || this.#ended) return;
    let expired = false;
    const cancel = clock.after(milliseconds, () => {
      expired = true;
      giveUp();
    });
    try {
      while (!this.#ended && !expired) await this.#next();
    } catch {
      // The caller is gone, and with it what was left.
    } finally {
      cancel();
    }
  }
}

/** HTTP/2 requests that were reset end as if they were complete; those of HTTP/1.1 fail by themselves. */
function wasReset(request: NodeRequest): boolean {
  return 'stream' in request && (request.stream.rstCode !== 0 || request.stream.aborted);
}

function cutOff(cause: unknown): ConnectError {
  return new ConnectError('the request was cut off', Code.Canceled, undefined, undefined, cause);
}
