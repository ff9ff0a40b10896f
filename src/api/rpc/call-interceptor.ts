// Around every call: ends those that were not let in, translates errors for the wire, logs those that are this server's
// fault, and notes how the call ended.

import type { ConnectError, Interceptor } from '@connectrpc/connect';
import { refusalOf } from './call-ending.js';
import { type CallState, callStateKey } from './call-state.js';
import type { RpcParts } from './rpc-parts.js';

type Parts = Pick<RpcParts, 'logger' | 'shutdown'>;

export function callInterceptor(parts: Parts): Interceptor {
  return (next) => async (request) => {
    const method = `${request.service.typeName}/${request.method.name}`;
    const call: CallState = request.contextValues.get(callStateKey) ?? { id: '', method, account: '', code: undefined };
    const refuse = (error: unknown): ConnectError => refusalOf(parts, call, error, request.signal);
    async function* translating<T>(messages: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
      try {
        yield* messages;
        call.code = 'ok';
      } catch (error) {
        throw refuse(error);
      }
    }
    if (call.refusal !== undefined) throw call.refusal;
    try {
      const response = await next(request);
      if (response.stream) return { ...response, message: translating(response.message) };
      call.code = 'ok';
      return response;
    } catch (error) {
      throw refuse(error);
    }
  };
}
