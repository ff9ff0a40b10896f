// One request over HTTP/1.1 or HTTP/2 with everything in the caller's hand, and its whole answer. Each goes over a
// connection of its own.

import { request as http1Request } from 'node:http';
import { connect as http2Connect } from 'node:http2';

export type HttpVersion = 'h1' | 'h2';

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The server sent `100 Continue`. */
  readonly continued: boolean;
}

/** A body goes out at once, or after `100 Continue` when the headers say `expect`. */
export function ask(version: HttpVersion, url: string, asked: Asked = {}): Promise<Answered> {
  return version === 'h1' ? askHttp1(url, asked) : askHttp2(url, asked);
}

function askHttp1(url: string, { method = 'GET', headers = {}, body }: Asked): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = http1Request(url, { method, headers, agent: false });
    let continued = false;
    request.on('error', reject);
    request.on('continue', () => {
      continued = true;
      request.end(body);
    });
    request.on('response', (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => {
        if (!request.writableEnded) request.destroy();
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers as Record<string, string>,
          body: Buffer.concat(pieces),
          continued,
        });
      });
    });
    if (headers.expect === undefined) request.end(body);
    else request.flushHeaders();
  });
}

function askHttp2(url: string, { method = 'GET', headers = {}, body }: Asked): Promise<Answered> {
  const { origin, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const session = http2Connect(origin);
    session.on('error', reject);
    const { host, ...rest } = headers;
    const stream = session.request(
      { ':method': method, ':path': pathname + search, ...(host === undefined ? {} : { ':authority': host }), ...rest },
      { endStream: body === undefined && headers.expect === undefined },
    );
    let continued = false;
    let answer: Record<string, unknown> = {};
    const pieces: Buffer[] = [];
    stream.on('continue', () => {
      continued = true;
      stream.end(body);
    });
    stream.on('response', (received) => {
      answer = received;
    });
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('error', (error) => {
      session.destroy();
      reject(error);
    });
    stream.on('end', () => {
      const { ':status': status, ...others } = answer;
      session.destroy();
      resolve({
        status: Number(status),
        headers: others as Record<string, string>,
        body: Buffer.concat(pieces),
        continued,
      });
    });
    if (body !== undefined && headers.expect === undefined) stream.end(body);
  });
}
