// Calls of the file API over HTTP/1.1, to any of several addresses. Connections are kept and bounded in number. A call that may
// be made twice is made again when it failed on the way, after a pause that doubles, at the next address; one that may not is
// made again only when nobody can have received it.

import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type Clock, sleep } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { wasNeverSent } from '../../base/never-sent.js';
import type { Random } from '../../base/random.js';
import { authorizationOf, type ConnectOptions, tlsOptions } from '../connect-options.js';
import { retryPause } from '../retry-pause.js';
import { answeredError } from './answered-error.js';
import { bytesOf } from './read-body.js';

export interface HttpCallerOptions extends ConnectOptions {
  /** `HOST:PORT` or URLs, in order of preference. */
  readonly addresses: readonly string[];
  /** How long a server may be silent. */
  readonly timeoutMilliseconds: number;
  /** How often a call is made again, and the pause before the first time. */
  readonly retryCount: number;
  readonly retryIntervalMilliseconds: number;
  /** To each address. */
  readonly maxConnections: number;
}

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | number>> | undefined;
  /** A stream is asked for its first piece when there is a connection; what it throws should be a `CairnError`. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  /** It may be done twice. */
  readonly isIdempotent: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Status below 300, or 304. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** To be read to its end, or destroyed. */
  readonly body: Readable;
}

const retried = new Set(['unavailable', 'timeout', 'conflict']);

export class HttpCaller {
  readonly #options: HttpCallerOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #origins: readonly URL[];
  readonly #authorization: string | undefined;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;
  /** The address that is asked first. */
  #preferred = 0;

  /** `invalid_argument` for an address that is none. */
  constructor(options: HttpCallerOptions, clock: Clock, random: Random) {
    if (options.addresses.length === 0) throw new CairnError('invalid_argument', 'a client needs an address');
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
    this.#origins = options.addresses.map(originOf);
    this.#authorization = authorizationOf(options);
    const agent = { keepAlive: true, maxSockets: options.maxConnections };
    this.#http = new HttpAgent(agent);
    this.#https = new HttpsAgent({ ...agent, ...tlsOptions(options) });
  }

  /** Fails as the server did, or with `unavailable` and `timeout` when none could be reached. */
  async call(call: HttpCall): Promise<HttpAnswer> {
    for (let attempt = 0; ; attempt++) {
      const at = this.#preferred;
      try {
        return await this.#attempt(this.#origins[at % this.#origins.length]!, call);
      } catch (error) {
        const failure = call.signal?.aborted ? new CairnError('canceled', 'canceled', { cause: error }) : error;
        if (!(failure instanceof CairnError) || attempt >= this.#options.retryCount) throw failure;
        if (!mayRepeat(call, failure)) throw failure;
        if (at === this.#preferred) this.#preferred++;
        // Another address is asked at once; when all have been, it is time to wait.
        const rounds = Math.floor((attempt + 1) / this.#origins.length);
        if ((attempt + 1) % this.#origins.length === 0) await this.#pause(rounds - 1, call.signal);
      }
    }
  }

  /** The `data` of an answer in JSON. */
  async data<T>(call: HttpCall): Promise<T> {
    const { body } = await this.call(call);
    return (JSON.parse(`${await bytesOf(body)}`) as { data: T }).data;
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #pause(failures: number, signal: AbortSignal | undefined): Promise<void> {
    const most = Math.min(this.#options.retryIntervalMilliseconds * 2 ** failures, limits.fileRetryMillisecondsMax);
    return sleep(this.#clock, retryPause(this.#random, most), signal);
  }

  async #attempt(origin: URL, { method, path, headers, body, signal }: HttpCall): Promise<HttpAnswer> {
    const isTls = origin.protocol === 'https:';
    const request = (isTls ? httpsRequest : httpRequest)(new URL(path, origin), {
      method,
      agent: isTls ? this.#https : this.#http,
      timeout: this.#options.timeoutMilliseconds,
      headers: {
        ...headers,
        ...(this.#authorization !== undefined && { authorization: this.#authorization }),
        ...(body instanceof Uint8Array && { 'content-length': body.length }),
      },
      ...(signal && { signal }),
    });
    let arrived: IncomingMessage | undefined;
    request.on('timeout', () => {
      if (isOurSilence(request, arrived)) return;
      request.destroy(new CairnError('timeout', `${origin.host} does not answer`));
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.once('error', (cause) => reject(sourceFailure ?? onTheWay(cause, origin)));
    });
    let sourceFailure: unknown;
    // What fails here fails the request, too; and answered early, the rest of the body has nobody to go to.
    send(request, body, (error) => {
      sourceFailure = error;
    }).catch(() => {});
    const answer = await answered;
    arrived = answer;
    const status = answer.statusCode ?? 0;
    if (status >= 300 && status !== 304) {
      const error = await answeredError(status, answer);
      // Nobody waits for the rest of a body that was refused.
      if (!request.writableFinished) request.destroy();
      throw error;
    }
    const isGzip = answer.headers['content-encoding'] === 'gzip';
    return { status, headers: answer.headers, body: isGzip ? gunzipped(answer) : answer };
  }
}

/** Ends with the answer, however that ends, and the answer with it. */
function gunzipped(answer: IncomingMessage): Readable {
  const body = createGunzip();
  // What breaks off is told by the body.
  pipeline(answer, body).catch(() => {});
  return body;
}

async function send(
  request: ClientRequest,
  body: HttpCall['body'],
  onSourceFailure: (error: unknown) => void,
): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) {
    request.end(body);
    return;
  }
  await connected(request);
  // The request itself would only tell that it was given up.
  const pieces = Readable.from(body, { objectMode: false }).once('error', onSourceFailure);
  await pipeline(pieces, request);
}

/** Nothing moves since our reader has not taken what there is, or our source gives nothing. */
function isOurSilence(request: ClientRequest, answer: IncomingMessage | undefined): boolean {
  if (answer !== undefined) return answer.readableLength > 0;
  return !request.writableEnded && request.writableLength === 0;
}

/** Stays open when the connection fails, which the request itself tells. */
function connected(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    request.once('socket', (socket) => {
      if (socket.connecting) socket.once('connect', resolve);
      else resolve();
    });
  });
}

function originOf(address: string): URL {
  const url = address.includes('://') ? address : `http://${address}`;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw new CairnError('invalid_argument', `${JSON.stringify(address)} is no address: expected HOST:PORT or a URL`);
  }
  return parsed;
}

function mayRepeat({ body, isIdempotent }: HttpCall, error: CairnError): boolean {
  if (wasNeverSent(error)) return true;
  return isIdempotent && retried.has(error.code) && (body === undefined || body instanceof Uint8Array);
}

function onTheWay(cause: unknown, { host }: URL): CairnError {
  if (cause instanceof CairnError) return cause;
  return new CairnError('unavailable', `${host}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}
