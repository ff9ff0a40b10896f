// One dispatcher for the streams of an HTTP/2 server. Node's compatibility layer listens to `stream` too, and two listeners
// would both answer: so its listener is taken off the server and called for those streams alone that nobody else takes.

import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { assert } from '../base/errors.js';
import type { StreamListener } from './request-listener.js';

type Listener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, rawHeaders: string[]) => void;

/** The server must have its request handler already. */
export function dispatchStreams(server: Http2Server, first: StreamListener): void {
  const compatibility = server.listeners('stream') as Listener[];
  assert(compatibility.length === 1, 'the compatibility layer alone listens to streams');
  server.removeAllListeners('stream');
  const dispatch: Listener = (stream, headers, flags, rawHeaders) => {
    if (!first(stream, headers)) compatibility[0]!.call(server, stream, headers, flags, rawHeaders);
  };
  server.on('stream', dispatch);
}
