// The shape of every handler here: what HTTP/1.1 and HTTP/2 servers both call with a request. The types are those of
// the Connect adapter, which smooths the two versions' differences but does not export them by name.

import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { connectNodeAdapter } from '@connectrpc/connect-node';

export type RequestListener = ReturnType<typeof connectNodeAdapter>;
export type NodeRequest = Parameters<RequestListener>[0];
export type NodeResponse = Parameters<RequestListener>[1];

/** Takes a stream of HTTP/2 before it becomes a request and a response, and says so; or leaves it alone. */
export type StreamListener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => boolean;

/** What one address answers with. */
export interface RequestListeners {
  readonly handler: RequestListener;
  /** Asked first about every stream of HTTP/2. */
  readonly streams: StreamListener;
}
