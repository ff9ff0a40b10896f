// One request over REST and its one answer, alike on HTTP/1.1 and HTTP/2. It owns the response until that is closed,
// counts the bytes of both bodies, and aborts its signal when the client goes away before it was answered.

import type { ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Writable } from 'node:stream';

import type { ByteBudget } from '../../base/byte-budget.js';
import type { Clock } from '../../base/clock.js';
import { CairnError, type ErrorCode, errorCode } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { httpStatus, isServerFault, publicMessage, toLumeoError } from '../error-map.js';
import type { NodeRequest, NodeResponse } from '../request-listener.js';
import type { StreamWindows } from '../stream-windows.js';

export type AnswerHeaders = Readonly<Record<string, string | number>>;

export interface ExchangeParts {
  readonly clock: Clock;
  /** What bodies may hold beyond what each has from the start. */
  readonly budget: ByteBudget;
  /** Widens the windows of HTTP/2 streams that bring much. */
  readonly windows?: StreamWindows | undefined;
}

export class Exchange {
  readonly method: string;
  /** The path as it was sent, without the query. */
  readonly path: string;
  /** Bytes of the request's and the answer's body so far. */
  bytesIn = 0;
  bytesOut = 0;
  /** Name of the account it is made by, once that is known. */
  account = '';
  /** What became of it, for the log: the first failure counts. */
  code: ErrorCode | 'ok' = 'ok';
  /** The cause, when it was this server's fault. */
  fault: unknown;
  readonly #search: string;
  #query: URLSearchParams | undefined;
  #cancelTimeout: (() => void) | undefined;
  readonly #writer: Writable;
  #abort: AbortController | undefined;
  #clientLeft = false;
  readonly #whenClosed: Promise<void>;

  constructor(
    readonly request: NodeRequest,
    readonly response: NodeResponse,
    readonly memory: ExchangeParts,
  ) {
    // The response of HTTP/2 says it has finished only when its whole stream has closed.
    this.#writer = 'stream' in response ? (response as Http2ServerResponse).stream : (response as ServerResponse);
    this.method = request.method ?? '';
    const url = request.url ?? '';
    const pathEnd = url.indexOf('?');
    this.path = pathEnd < 0 ? url : url.slice(0, pathEnd);
    this.#search = pathEnd < 0 ? '' : url.slice(pathEnd + 1);
    this.#whenClosed = new Promise((resolve) => {
      response.once('close', () => {
        this.#cancelTimeout?.();
        // A stream of HTTP/2 that its client closes in between two writes counts as finished, too: it is when we ended it.
        if (!response.writableEnded || !this.#writer.writableFinished) {
          this.#fail('canceled');
          this.#clientLeft = true;
          this.#abort?.abort(clientLeft());
        }
        resolve();
      });
    });
    // What is written after the client has left: its leaving is known from `close`.
    response.on('error', () => {});
    this.#writer.once('finish', () => this.#leaveUnreadBody());
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#search);
    return this.#query;
  }

  /** Aborts when the client is gone before it had its whole answer. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#clientLeft) this.#abort.abort(clientLeft());
    }
    return this.#abort.signal;
  }

  /** Whether the signal has aborted; who only looks spares making one. */
  get aborted(): boolean {
    return this.#clientLeft;
  }

  /** Resolves when nothing more can be sent, for better or worse. */
  get whenClosed(): Promise<void> {
    return this.#whenClosed;
  }

  /** A request header that may appear once; joined when it came several times. */
  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  get clock(): Clock {
    return this.memory.clock;
  }

  get expectsContinue(): boolean {
    return /\b100-continue\b/i.test(this.header('expect') ?? '');
  }

  /** The whole answer at once. A HEAD request gets its headers. */
  answer(status: number, headers: AnswerHeaders, body: Uint8Array = new Uint8Array(0)): void {
    if (this.aborted) return;
    const withLength = status === 204 || status === 304 ? headers : { 'content-length': body.length, ...headers };
    this.response.writeHead(status, withLength);
    if (this.method === 'HEAD' || body.length === 0) {
      this.response.end();
    } else {
      this.bytesOut += body.length;
      this.response.end(Buffer.from(body.buffer, body.byteOffset, body.length));
    }
  }

  /** Sends the head and a body that is at hand, and gives it up when the client takes nothing for too long. */
  finishWith(status: number, headers: AnswerHeaders, body: Uint8Array): void {
    this.response.writeHead(status, headers);
    this.bytesOut += body.length;
    this.response.end(body);
    const giveUp = () => this.answerError(new CairnError('timeout', 'the download stalled'));
    this.#cancelTimeout = this.clock.after(limits.stalledBodyMillisecondsMax, giveUp);
  }

  answerJson(status: number, value: unknown, headers: AnswerHeaders = {}): void {
    this.answer(status, { ...headers, 'content-type': 'application/json' }, Buffer.from(`${JSON.stringify(value)}\n`));
  }

  /**
   * Answers with an error, or breaks the answer off when it has begun: a short body must not look like a whole one. The
   * status is that of the error's code, unless HTTP has a better one.
   */
  answerError(error: unknown, headers: AnswerHeaders = {}, status: number = httpStatus(errorCode(error))): void {
    const code = errorCode(error);
    this.#fail(code);
    if (isServerFault(code)) this.fault = error;
    if (this.response.headersSent) {
      this.breakOff();
      return;
    }
    const body = this.path.startsWith(numberedErrorsPath)
      ? toLumeoError(error, this.clock.now())
      : { code, message: publicMessage(error) };
    this.answerJson(status, body, {
      ...headers,
      ...(code === 'unauthenticated' && challenge),
      'cache-control': 'no-store',
    });
  }

  /** Ends the connection (HTTP/1.1) or the stream (HTTP/2) with the answer incomplete. */
  breakOff(): void {
    if ('stream' in this.response) (this.response as Http2ServerResponse).stream.close(http2InternalError);
    else this.response.destroy();
  }

  #fail(code: ErrorCode): void {
    if (this.code === 'ok') this.code = code;
  }

  /**
   * An answer may come before its request's end. HTTP/2 says so by ending the stream. Over HTTP/1.1 a client that keeps
   * sending finds its answer only if the rest is read: all of it after a success, a moment's worth after a refusal.
   */
  #leaveUnreadBody(): void {
    const { request, response } = this;
    if ('stream' in request) {
      const { stream } = request as Http2ServerRequest;
      if (stream.readableEnded || stream.closed) return;
      this.clock.after(limits.lingerMillisecondsMax, () => {
        if (!stream.closed) stream.close();
      });
      return;
    }
    if (request.complete) return;
    // An interrupted reader may still wait for its piece; when it has left, this listener lets the rest flow.
    request.on('data', () => {});
    request.resume();
    const welcome = response.statusCode < 300;
    this.clock.after(welcome ? limits.stalledBodyMillisecondsMax : limits.lingerMillisecondsMax, () => {
      if (!request.complete) request.socket.destroy();
    });
  }
}

function clientLeft(): CairnError {
  return new CairnError('canceled', 'the client went away');
}

/** Below it errors have the form of the LumeoFS API, whoever refuses. */
const numberedErrorsPath = '/api/';

/** How to present credentials (RFC 9110 section 11.6.1). */
const challenge = { 'www-authenticate': 'Bearer realm="cairn", Basic realm="cairn", charset="UTF-8"' };

/** Error code INTERNAL_ERROR of RFC 9113 section 7. */
const http2InternalError = 2;
