// Around every call: lets Transport calls in by their tokens, translates errors for the wire, logs those that are this
// server's fault, and notes how the call ended.

import type { ConnectError, Interceptor } from '@connectrpc/connect';
import { Transport } from '../../gen/zako/v1/transport/transport_pb.js';
import { refusalOf } from './call-ending.js';
import { callStateKey } from './call-state.js';
import { sessionOf } from './peer.js';
import { nodeRequestKey, type RpcParts } from './rpc-parts.js';
import { admitByToken } from './token-admission.js';

type Parts = Pick<RpcParts, 'logger' | 'tokens' | 'transportTokens' | 'shutdown'>;

export function callInterceptor(parts: Parts): Interceptor {
  return (next) => async (request) => {
    const method = `${request.service.typeName}/${request.method.name}`;
    const call = request.contextValues.get(callStateKey) ?? { id: '', method, code: undefined };
    const isTransport = request.service.typeName === Transport.typeName;
    const refuse = (error: unknown): ConnectError => refusalOf(parts, call, error, request.signal);
    async function* translating<T>(messages: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
      try {
        yield* messages;
        call.code = 'ok';
      } catch (error) {
        throw refuse(error);
      }
    }
    try {
      if (isTransport) admitByToken(parts, request.header, sessionOf(request.contextValues.get(nodeRequestKey)));
      const response = await next(request);
      if (response.stream) return { ...response, message: translating(response.message) };
      call.code = 'ok';
      return response;
    } catch (error) {
      throw refuse(error);
    }
  };
}
