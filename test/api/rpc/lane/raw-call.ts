// One streaming call with every byte of the request in the caller's hand, and all that a client sees of the answer.

import { request as http1Request } from 'node:http';
import type { ClientHttp2Session } from 'node:http2';

export interface RawCall {
  readonly version: 'h1' | 'h2';
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The body, piece by piece. */
  readonly pieces: readonly Uint8Array[];
  /** What the caller does after the last piece. */
  readonly then: 'end' | 'reset';
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly trailers: Readonly<Record<string, string>>;
  /** How the answer ended. */
  readonly ending: 'complete' | 'broken';
}

/** The names that say nothing about the call, or that a server is free to choose. */
const unimportant = new Set(['date', 'connection', 'keep-alive', 'grpc-encoding', 'connect-content-encoding']);

function important(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => !name.startsWith(':') && !unimportant.has(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Undefined when the caller reset the call, and so sees nothing. */
export function rawCall(baseUrl: string, session: ClientHttp2Session, call: RawCall): Promise<RawAnswer | undefined> {
  return call.version === 'h1' ? overHttp1(baseUrl, call) : overHttp2(session, call);
}

function overHttp2(session: ClientHttp2Session, call: RawCall): Promise<RawAnswer | undefined> {
  return new Promise((resolve) => {
    const stream = session.request({ ':method': call.method, ':path': call.path, ...call.headers });
    let headers: Record<string, unknown> = {};
    let trailers: Record<string, unknown> = {};
    const body: Buffer[] = [];
    let hasEnded = false;
    stream.on('response', (received) => {
      headers = received;
    });
    stream.on('trailers', (received) => {
      trailers = received;
    });
    stream.on('data', (piece: Buffer) => body.push(piece));
    const answer = (ending: RawAnswer['ending']) =>
      resolve({
        status: Number(headers[':status']),
        headers: important(headers),
        body: Buffer.concat(body),
        trailers: important(trailers),
        ending,
      });
    stream.on('end', () => {
      hasEnded = true;
      if (call.then === 'end') answer(stream.rstCode === 0 ? 'complete' : 'broken');
    });
    stream.on('error', () => {});
    stream.on('close', () => (call.then === 'reset' ? resolve(undefined) : answer('broken')));
    void (async () => {
      for (const piece of call.pieces) {
        if (hasEnded || stream.destroyed || stream.closed) break;
        stream.write(piece);
        if (call.pieces.length > 1) await turn();
      }
      if (call.then === 'end') stream.end();
      else setTimeout(() => stream.destroy(), 2);
    })();
  });
}

function overHttp1(baseUrl: string, call: RawCall): Promise<RawAnswer | undefined> {
  return new Promise((resolve) => {
    const { host, ...headers } = call.headers;
    const request = http1Request(baseUrl + call.path, {
      method: call.method,
      headers: { ...headers, ...(host === undefined ? {} : { host }), 'transfer-encoding': 'chunked' },
      agent: false,
    });
    request.on('error', () => resolve(undefined));
    let hasEnded = false;
    request.on('response', (response) => {
      const body: Buffer[] = [];
      response.on('data', (piece: Buffer) => body.push(piece));
      response.on('error', () => {});
      response.on('close', () => {
        hasEnded = true;
        if (!request.writableEnded) request.destroy();
        if (call.then === 'reset') return;
        resolve({
          status: response.statusCode ?? 0,
          headers: important(response.headers),
          body: Buffer.concat(body),
          trailers: important(response.trailers),
          ending: response.complete ? 'complete' : 'broken',
        });
      });
    });
    void (async () => {
      for (const piece of call.pieces) {
        if (hasEnded || request.destroyed) break;
        request.write(piece);
        if (call.pieces.length > 1) await turn();
      }
      if (call.then === 'end') request.end();
      else
        setTimeout(() => {
          request.destroy();
          resolve(undefined);
        }, 2);
    })();
  });
}
