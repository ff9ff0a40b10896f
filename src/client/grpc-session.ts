// gRPC calls of encoded messages over one HTTP/2 session of Node, for the calls that a sync consists of: Connect takes
// longer to load than the whole of a sync that finds nothing changed. One request, one answer. Opens the session with
// the first call and anew after it has ended; a connection that has gone quiet is asked whether it is still there.

import { setMaxListeners } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Clock } from '../base/clock.js';
import { CairnError, errorCodeHeader } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { frameHeaderBytes } from '../base/message-frame.js';
import { authorizationOf, type ConnectOptions, tlsOptions } from './connect-options.js';
import { codeOfCall, codeOfHttpStatus } from './error-codes.js';
import { ReceiveWindows } from './receive-windows.js';

/** Sends a frame to a method, named as in `/package.Service/Method`, and answers the message that comes back. */
export type Call = (method: string, frame: Uint8Array, signal?: AbortSignal | undefined) => Promise<Uint8Array>;

export class GrpcSession {
  #session: ClientHttp2Session | undefined;
  readonly #windows = new WeakMap<ClientHttp2Session, ReceiveWindows>();
  #failure: Error | undefined;

  readonly #headers: OutgoingHttpHeaders;

  /** `invalid_argument` for credentials that cannot be. */
  constructor(
    private readonly origin: string,
    private readonly clock: Clock,
    private readonly options: ConnectOptions = {},
  ) {
    const authorization = authorizationOf(options);
    this.#headers = {
      ':method': 'POST',
      'content-type': 'application/grpc+proto',
      te: 'trailers',
      ...(authorization !== undefined && { authorization }),
    };
  }

  readonly call: Call = async (method, frame, signal) => {
    if (signal?.aborted) throw new CairnError('canceled', 'canceled', { cause: signal.reason });
    this.#session ??= this.#open();
    // Node warns of a leak when more than ten calls listen to one signal; here that is ordinary, and each lets go.
    if (signal !== undefined) setMaxListeners(0, signal);
    return this.#exchange(this.#session, method, frame, signal);
  };

  /** Ends the connection and all calls under way. */
  close(): void {
    this.#session?.destroy();
    this.#session = undefined;
  }

  #open(): ClientHttp2Session {
    const session = connect(this.origin, {
      ...tlsOptions(this.options),
      settings: {
        enablePush: false,
        initialWindowSize: limits.clientFirstStreamWindowBytes,
        maxFrameSize: limits.clientFrameBytesMax,
      },
    });
    this.#windows.set(session, new ReceiveWindows(session));
    const forget = () => {
      if (this.#session === session) this.#session = undefined;
    };
    this.#failure = undefined;
    session.once('connect', () => {
      session.setLocalWindowSize(limits.clientSessionWindowBytes);
      this.#watch(session);
    });
    session.on('error', (error) => {
      this.#failure = error;
      forget();
    });
    // The calls under way end on it; the next opens another.
    session.on('goaway', forget);
    session.on('close', forget);
    return session;
  }

  /** Asks now and then whether the server is there, also without a call, so that the next meets no dead connection. */
  #watch(session: ClientHttp2Session): void {
    if (session.destroyed) return;
    const cancelPing = this.clock.after(limits.clientPingIntervalMilliseconds, () => {
      const cancelEnd = this.clock.after(limits.clientPingMillisecondsMax, () => {
        session.destroy(new Error('the server does not answer'));
      });
      session.ping(() => {
        cancelEnd();
        session.off('close', cancelPing);
        this.#watch(session);
      });
    });
    session.once('close', cancelPing);
  }

  #exchange(
    session: ClientHttp2Session,
    method: string,
    frame: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const stream = this.#request(session, method);
      const windows = this.#windows.get(session);
      windows?.opened(stream);
      const pieces: Buffer[] = [];
      let length = 0;
      let headers: IncomingHttpHeaders = {};
      let trailers: IncomingHttpHeaders = {};
      let failure: Error | undefined;
      const abort = () => stream.close(constants.NGHTTP2_CANCEL);
      signal?.addEventListener('abort', abort);
      stream.on('response', (received) => {
        headers = received;
      });
      stream.on('trailers', (received) => {
        trailers = received;
      });
      stream.on('data', (piece: Buffer) => {
        pieces.push(piece);
        windows?.read();
        length += piece.length;
        if (length > limits.requestMessageBytesMax) stream.close(constants.NGHTTP2_CANCEL);
      });
      stream.on('error', (error: Error) => {
        failure = error;
      });
      stream.on('close', () => {
        signal?.removeEventListener('abort', abort);
        try {
          if (signal?.aborted) throw new CairnError('canceled', 'canceled', { cause: signal.reason });
          checkStatus({ ...headers, ...trailers }, this.#failure ?? failure);
          resolve(messageOf(Buffer.concat(pieces, length)));
        } catch (error) {
          reject(error);
        }
      });
      stream.end(frame);
    });
  }

  #request(session: ClientHttp2Session, method: string): ClientHttp2Stream {
    try {
      return session.request({ ...this.#headers, ':path': method });
    } catch (error) {
      throw new CairnError('unavailable', reasonOf(error), { cause: error });
    }
  }
}

/** Throws unless the call ended with success. */
function checkStatus(headers: IncomingHttpHeaders, failure: Error | undefined): void {
  const status = headers['grpc-status'];
  if (status === '0') return;
  if (status !== undefined) {
    const code = codeOfCall(Number(status), headers[errorCodeHeader]);
    throw new CairnError(code, messageText(String(headers['grpc-message'] ?? '')));
  }
  const httpStatus = headers[':status'] as number | undefined;
  if (httpStatus !== undefined && httpStatus !== 200) {
    throw new CairnError(codeOfHttpStatus(httpStatus), `HTTP ${httpStatus}`);
  }
  const reason = failure === undefined ? 'the connection ended before the answer' : reasonOf(failure);
  throw new CairnError('unavailable', reason, { cause: failure });
}

/** gRPC escapes as URLs do. */
function messageText(escaped: string): string {
  try {
    return decodeURIComponent(escaped);
  } catch {
    return escaped;
  }
}

/** A stream says only that it was canceled; why, its cause says. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/** The one message of an answer. */
function messageOf(body: Buffer): Uint8Array {
  if (body.length >= frameHeaderBytes && body[0] === 0 && body.readUInt32BE(1) === body.length - frameHeaderBytes) {
    return body.subarray(frameHeaderBytes);
  }
  throw new CairnError('internal', 'the server did not answer with one message');
}
