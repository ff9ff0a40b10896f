// The way every request takes, whatever it asks for: guard, cross-origin headers, then RPC, then REST. Each of them asks the
// gate once it knows what is wanted, and asks for a body only after that.

import type { IncomingHttpHeaders } from 'node:http2';
import { CairnError } from '../base/errors.js';
import { mendAuthority, mendTarget } from './authority.js';
import type { Cors } from './cors.js';
import type { Guard } from './guard.js';
import type { HttpFace } from './http/http-handler.js';
import type { RequestListener, RequestListeners, StreamListener } from './request-listener.js';
import type { Lane } from './rpc/lane/lane.js';
import type { ServingStatus } from './rpc/serving-state.js';
import type { StreamWindows } from './stream-windows.js';

export interface FrontParts {
  readonly guard: Guard;
  readonly cors: Cors;
  /** Undefined on a port without RPC, where their paths are unknown ones. */
  readonly rpc: ((fallback: RequestListener) => RequestListener) | undefined;
  /** Undefined where the stock handler serves every call. */
  readonly lane: Lane | undefined;
  readonly http: HttpFace;
  readonly windows: StreamWindows;
  /** On a port for RPC alone everything else is `not_found`. */
  readonly servesHttp: boolean;
  readonly serving: { readonly status: ServingStatus };
}

export function createFront({
  guard,
  cors,
  rpc,
  lane,
  http,
  windows,
  servesHttp,
  serving,
}: FrontParts): RequestListeners {
  const fallback: RequestListener = servesHttp
    ? http.handler
    : (request, response) => http.refuse(request, response, new CairnError('not_found', 'this port serves RPC alone'));
  const handler = rpc?.(fallback) ?? fallback;

  const answer: RequestListener = (request, response) => {
    // The client should take its next request to a server that stays.
    if (serving.status === 'draining' && 'shouldKeepAlive' in response) response.shouldKeepAlive = false;
    mendTarget(request);
    mendAuthority(request);
    const refusal = guard(request);
    if (refusal !== undefined) {
      http.refuse(request, response, refusal);
      return;
    }
    if (cors(request, response)) return;
    handler(request, response);
  };

  /** The same way, for calls that the lane takes before they become requests. Who is refused is refused above. */
  const answerOnLane: StreamListener = (stream, headers) => {
    windows.opened(stream);
    if (lane === undefined || !lane.wantsStream(headers)) return false;
    mendAuthority({ headers });
    if (guard({ headers }) !== undefined) return false;
    lane.answerStream(stream, headers, corsHeaders(cors, headers));
    return true;
  };

  return { handler: answer, streams: answerOnLane };
}

function corsHeaders(cors: Cors, headers: IncomingHttpHeaders): Record<string, string> {
  const extra: Record<string, string> = {};
  cors(
    { headers, method: 'POST' },
    {
      setHeader: (name, value) => {
        extra[name] = value;
      },
      // Only a pre-flight, which is no POST, is answered there.
      writeHead: () => {},
      end: () => {},
    },
  );
  return extra;
}
