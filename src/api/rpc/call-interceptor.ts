// Around every call: lets Transport calls in by their tokens, translates errors for the wire, logs those that are this
// server's fault, and notes how the call ended.

import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';
import { CairnError } from '../../base/errors.js';
import { Transport } from '../../gen/zako/v1/transport/transport_pb.js';
import { toConnectError } from '../error-map.js';
import { callStateKey, codeName } from './call-state.js';
import { nodeRequestKey, type RpcParts } from './rpc-parts.js';
import { admitByToken } from './token-admission.js';

type Parts = Pick<RpcParts, 'logger' | 'tokens' | 'transportTokens' | 'shutdown'>;

export function callInterceptor(parts: Parts): Interceptor {
  return (next) => async (request) => {
    const method = `${request.service.typeName}/${request.method.name}`;
    const call = request.contextValues.get(callStateKey) ?? { id: '', method, code: undefined };
    const isTransport = request.service.typeName === Transport.typeName;
    const refuse = (error: unknown): ConnectError => {
      const translated = toConnectError(endOfCall(error, request.signal, parts.shutdown), {
        logger: parts.logger,
        method,
        callId: call.id,
        outOfRange: isTransport ? Code.InvalidArgument : Code.OutOfRange,
      });
      call.code = codeName(translated.code);
      return translated;
    };
    async function* translating<T>(messages: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
      try {
        yield* messages;
        call.code = 'ok';
      } catch (error) {
        throw refuse(error);
      }
    }
    try {
      if (isTransport) admitByToken(parts, request.header, request.contextValues.get(nodeRequestKey));
      const response = await next(request);
      if (response.stream) return { ...response, message: translating(response.message) };
      call.code = 'ok';
      return response;
    } catch (error) {
      throw refuse(error);
    }
  };
}

/** What ended a call whose signal aborted: the server's shutdown, its deadline, or the caller's going away. */
function endOfCall(error: unknown, signal: AbortSignal, shutdown: AbortSignal): unknown {
  const isAftermath = error instanceof CairnError ? error.code === 'canceled' : true;
  if (!signal.aborted || !isAftermath) return error;
  if (shutdown.aborted) return new CairnError('unavailable', 'the server is shutting down');
  if (signal.reason instanceof ConnectError) return signal.reason;
  return new CairnError('canceled', 'the call was canceled');
}
