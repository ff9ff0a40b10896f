// The way every request takes, whatever it asks for: guard, cross-origin headers, permission to send a body, then RPC,
// then REST.

import { CairnError } from '../base/errors.js';
import { mendAuthority } from './authority.js';
import type { Cors } from './cors.js';
import type { Guard } from './guard.js';
import type { HttpFace } from './http/http-handler.js';
import type { RequestListener } from './request-listener.js';
import type { ServingStatus } from './rpc/serving-state.js';

export interface FrontParts {
  /** Undefined on a port that other machines reach anyway. */
  readonly guard: Guard | undefined;
  readonly cors: Cors;
  /** Undefined on a port without RPC, where their paths are unknown ones. */
  readonly rpc: ((fallback: RequestListener) => RequestListener) | undefined;
  readonly http: HttpFace;
  /** On a port for RPC alone everything else is `not_found`. */
  readonly servesHttp: boolean;
  readonly serving: { readonly status: ServingStatus };
}

export function createFront({ guard, cors, rpc, http, servesHttp, serving }: FrontParts): RequestListener {
  const fallback: RequestListener = servesHttp
    ? http.handler
    : (request, response) => http.refuse(request, response, new CairnError('not_found', 'this port serves RPC alone'));
  const handler = rpc?.(fallback) ?? fallback;

  return (request, response) => {
    // The client should take its next request to a server that stays.
    if (serving.status === 'draining' && 'shouldKeepAlive' in response) response.shouldKeepAlive = false;
    mendAuthority(request);
    const refusal = guard?.(request);
    if (refusal !== undefined) {
      http.refuse(request, response, refusal);
      return;
    }
    if (cors(request, response)) return;
    // REST asks for a body when it wants one; RPC always does.
    if (request.headers.expect !== undefined && !http.owns(request.url ?? '')) response.writeContinue();
    handler(request, response);
  };
}
