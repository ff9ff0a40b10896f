// A call over HTTP/1.1: gRPC-Web and Connect, which end inside the body and need no trailers.

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { type Connection, connectionOf } from '../../auth/connection.js';
import type { Exchange } from './exchange.js';
import type { AnswerEnd } from './protocols.js';

export class Http1Exchange implements Exchange {
  readonly session = undefined;
  readonly connection: Connection;
  readonly headers: IncomingHttpHeaders;

  constructor(
    readonly source: IncomingMessage,
    readonly sink: ServerResponse,
  ) {
    this.headers = source.headers;
    this.connection = connectionOf(source.socket, source.socket);
    // Told again by the close that follows.
    sink.on('error', () => {});
    source.on('error', () => {});
  }

  get isGone(): boolean {
    return this.sink.destroyed;
  }

  /** A request that is cut off fails by itself. */
  wasReset(): boolean {
    return false;
  }

  begin(contentType: string): void {
    this.sink.writeHead(200, { 'content-type': contentType });
  }

  end({ bytes }: AnswerEnd): void {
    this.sink.end(bytes);
  }

  onClose(callback: () => void): void {
    this.sink.once('close', callback);
  }

  /** HTTP/1.1 has no windows. */
  noteProgress(): void {}

  giveUp(): void {
    this.source.socket.destroy();
  }

  destroy(): void {
    this.sink.destroy();
  }
}
