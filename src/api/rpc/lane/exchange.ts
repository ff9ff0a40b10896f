// One request and its answer as the lane sees them, whichever version of HTTP carries them.

import type { IncomingHttpHeaders } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import type { Connection } from '../../auth/connection.js';
import type { StreamWindows } from '../../stream-windows.js';
import type { AnswerEnd } from './protocols.js';

export interface Exchange {
  readonly headers: IncomingHttpHeaders;
  /** The request's bytes. */
  readonly source: Readable;
  /** The answer's bytes, after `begin`. */
  readonly sink: Pick<Writable, 'write' | 'cork' | 'uncork' | 'on' | 'once'>;
  /** The HTTP/2 session it came on. */
  readonly session: object | undefined;
  readonly connection: Connection;
  /** Nobody is there any more to be answered. */
  readonly isGone: boolean;
  /** Whether a request that seems complete was in truth cut off. */
  wasReset(): boolean;
  /** Sends status 200 and the headers. */
  begin(contentType: string, end: 'trailers' | 'envelope'): void;
  /** Sends the rest and ends the answer. */
  end(last: AnswerEnd): void;
  /** Calls back once when it is certain that no more bytes will come or go. */
  onClose(callback: () => void): void;
  /** So many bytes of the request have come and were taken. */
  noteProgress(windows: StreamWindows, receivedBytes: number): void;
  /** Ends a request whose sender goes on although it has been answered. */
  giveUp(): void;
  /** Breaks off: the caller sees an answer that ends in its middle. */
  destroy(): void;
}
