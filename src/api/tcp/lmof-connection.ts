// One LMOF connection from its first message to its last. Requests are read one after the other and answered as they are
// done, under the ids they came with. At most so many are under way; then nothing more is read. What changes the connection
// itself (AUTH), or is still coming in when it is worked on (an upload of version 2), is finished before the next is read.
//
// It ends when the peer ends, falls silent, or sends what cannot be told apart from what follows.

import type { Duplex } from 'node:stream';
import type { ByteBudget } from '../../base/byte-budget.js';
import type { Clock } from '../../base/clock.js';
import { CairnError, type ErrorCode, errorCode } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { toLumeoError } from '../error-map.js';
import { HeldBytes } from '../held-bytes.js';
import type { Codec } from './codec.js';
import { decodeHeader, type Header, headerBytes } from './header.js';
import type { AnyAnswer, AnyRequest } from './lmof-messages.js';
import { MessageBody } from './message-body.js';
import { type Action, actionOf } from './message-types.js';
import { SocketReader } from './socket-reader.js';
import { SocketWriter } from './socket-writer.js';
import { version1 } from './version1.js';
import { version2 } from './version2.js';

const codecs = new Map([version1, version2].map((codec) => [codec.version, codec]));

/** A finished request, for the log and the metrics. */
export interface LmofCall {
  readonly method: string;
  readonly code: ErrorCode | 'ok';
  readonly fault: unknown;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly milliseconds: number;
}

/** What one peer may ask for, and what becomes of it. */
export interface LmofSession {
  /** Name of the account that was let in last; empty before, and where there are none. */
  readonly account: string;
  /** Asked before the body is read; fails when this peer may not do that. */
  admit(action: Action): Promise<void>;
  perform(request: AnyRequest, signal: AbortSignal): Promise<AnyAnswer>;
}

export interface LmofConnectionParts {
  readonly clock: Clock;
  /** Bytes that all requests on all connections may hold. */
  readonly budget: ByteBudget;
  readonly session: LmofSession;
  onCall(call: LmofCall): void;
}

interface Incoming {
  readonly codec: Codec;
  readonly header: Header;
  readonly action: Action | undefined;
  readonly body: MessageBody;
}

export class LmofConnection {
  readonly #stream: Duplex;
  readonly #parts: LmofConnectionParts;
  readonly #reader: SocketReader;
  readonly #writer: SocketWriter;
  readonly #abort = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  #draining = false;

  constructor(stream: Duplex, parts: LmofConnectionParts) {
    this.#stream = stream;
    this.#parts = parts;
    this.#reader = new SocketReader(stream, parts.clock);
    this.#writer = new SocketWriter(stream, parts.clock);
    stream.once('close', () => this.#abort.abort(new CairnError('canceled', 'the client went away')));
  }

  /** Resolves when everything that was read has been answered and the connection is ending. */
  async run(): Promise<void> {
    try {
      while (!this.#draining && (await this.#next()));
      await Promise.all(this.#underWay);
      this.#stream.end();
    } catch {
      // The peer is gone, too slow, or no peer of ours: there is nobody to tell.
      this.#stream.destroy();
      await Promise.all(this.#underWay);
    }
  }

  /** Reads no further request; those under way are answered. */
  drain(): void {
    this.#draining = true;
    this.#reader.stop();
  }

  /** Reads one request and sees to its answer; false when nothing more will come. */
  async #next(): Promise<boolean> {
    const head = await this.#reader.read(headerBytes, limits.lmofIdleMillisecondsMax);
    if (head === undefined) return false;
    // Silence is no fault while there is something to wait for.
    if (head === 'idle') return this.#underWay.size > 0;
    const header = decodeHeader(head);
    const codec = codecs.get(header.version);
    if (codec === undefined) {
      return this.#refuse(
        version1,
        header,
        new CairnError('invalid_argument', `there is no version ${header.version}`),
      );
    }
    const action = actionOf(header.type);
    const bytesMax = codec.bodyBytesMax(action);
    if (header.length > BigInt(bytesMax)) {
      const message = `a body of this type has at most ${bytesMax} bytes, not ${header.length}`;
      return this.#refuse(codec, header, new CairnError('too_large', message));
    }
    await this.#serve({ codec, header, action, body: new MessageBody(this.#reader, Number(header.length)) });
    return true;
  }

  /** The last word on a connection on which nobody knows where the next message begins. */
  async #refuse(codec: Codec, header: Header, error: CairnError): Promise<false> {
    await this.#send(this.#failure(codec, header, error));
    return false;
  }

  /** Resolves when the next request may be read. */
  async #serve(incoming: Incoming): Promise<void> {
    const { codec, header, action, body } = incoming;
    const held = new HeldBytes(this.#parts.budget);
    // A request that cannot be read is answered like any other, once what is left of it is out of the way.
    const request = await settled(async () => {
      if (action === undefined) throw new CairnError('invalid_argument', `there is no message type ${header.type}`);
      await this.#parts.session.admit(action);
      return codec.read(action, header.requestId, body, held);
    });
    const call = this.#answer(incoming, request, held);
    const done = call.finally(() => {
      held.release();
      this.#underWay.delete(done);
    });
    this.#underWay.add(done);
    if (action === 'AUTH' || body.remaining > 0) await done;
    await body.discard();
    while (this.#underWay.size >= limits.lmofRequestsCountMax) await Promise.race(this.#underWay);
  }

  /** Never fails: a peer that is gone needs no answer. */
  async #answer(incoming: Incoming, request: Settled<AnyRequest>, held: HeldBytes): Promise<void> {
    const { codec, header, action, body } = incoming;
    const { clock, session, onCall } = this.#parts;
    const started = clock.monotonic();
    let bytesOut = 0;
    let failure: unknown;
    try {
      if (request.status === 'rejected') throw request.reason;
      const answer = await session.perform(request.value, this.#abort.signal);
      for await (const parts of codec.answer(header.requestId, answer, held)) bytesOut += await this.#send(parts);
    } catch (error) {
      failure = error;
      bytesOut += await this.#send(this.#failure(codec, header, error)).catch(() => 0);
    }
    onCall({
      method: action ?? 'unknown',
      code: failure === undefined ? 'ok' : errorCode(failure),
      fault: failure,
      bytesIn: headerBytes + Number(header.length) - body.remaining,
      bytesOut,
      milliseconds: clock.monotonic() - started,
    });
  }

  #failure(codec: Codec, { requestId, type }: Header, error: unknown): readonly Uint8Array[] {
    return codec.fail(requestId, { type, action: actionOf(type) }, toLumeoError(error, this.#parts.clock.now()));
  }

  /** Sends one message; answers its length. */
  async #send(parts: readonly Uint8Array[]): Promise<number> {
    await this.#writer.write(parts);
    return parts.reduce((sum, { length }) => sum + length, 0);
  }
}

type Settled<T> = PromiseSettledResult<T>;

async function settled<T>(work: () => Promise<T>): Promise<Settled<T>> {
  const [result] = await Promise.allSettled([work()]);
  return result;
}
