// A call on a stream of HTTP/2, by Node's core API: the compatibility layer's request and response objects cost more than
// a small call itself.

import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type Connection, connectionOf } from '../../auth/connection.js';
import type { StreamWindows } from '../../stream-windows.js';
import type { Exchange } from './exchange.js';
import type { AnswerEnd } from './protocols.js';

const withTrailers = { waitForTrailers: true };
const withoutTrailers = { waitForTrailers: false };
const ignore = () => {};

export class Http2Exchange implements Exchange {
  readonly session: ServerHttp2Session | undefined;
  readonly connection: Connection;

  constructor(
    readonly sink: ServerHttp2Stream,
    readonly headers: IncomingHttpHeaders,
    readonly extraHeaders: Readonly<Record<string, string>>,
  ) {
    this.session = sink.session as ServerHttp2Session | undefined;
    this.connection = connectionOf(this.session, this.session?.destroyed === true ? undefined : this.session?.socket);
    // Whoever reset the stream knows why; here it is the same as going away.
    sink.on('error', ignore);
  }

  get source(): ServerHttp2Stream {
    return this.sink;
  }

  get isGone(): boolean {
    return this.sink.closed || this.sink.destroyed;
  }

  /** Node ends the body of a stream that was reset as if it were complete. */
  wasReset(): boolean {
    return this.sink.rstCode !== constants.NGHTTP2_NO_ERROR || this.sink.aborted;
  }

  begin(contentType: string, end: 'trailers' | 'envelope'): void {
    const headers = { ':status': 200, 'content-type': contentType, ...this.extraHeaders };
    this.sink.respond(headers, end === 'trailers' ? withTrailers : withoutTrailers);
  }

  end({ bytes, trailers }: AnswerEnd): void {
    if (trailers !== undefined) this.sink.on('wantTrailers', () => this.sink.sendTrailers(trailers));
    if (bytes === undefined) this.sink.end();
    else this.sink.end(bytes);
  }

  onClose(callback: () => void): void {
    let called = false;
    const once = () => {
      if (!called) callback();
      called = true;
    };
    // The first tells at once that the caller has gone, the second comes in any case; each of them once.
    const { sink } = this;
    sink.on('aborted', once).on('close', () => {
      once();
      // Young collections leave closed streams to a full one, and with them all that still hears them: the whole call.
      sink.removeAllListeners().on('error', ignore);
    });
  }

  noteProgress(windows: StreamWindows, receivedBytes: number): void {
    windows.moved(this.sink, receivedBytes);
  }

  giveUp(): void {
    this.sink.close();
  }

  destroy(): void {
    this.sink.destroy();
  }
}
