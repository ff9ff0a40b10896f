// All RPCs as one request listener, for HTTP/1.1 and HTTP/2. Connect's own adapter is not used: it lets an invalid Host
// header end the process, destroys requests that are answered early, and writes to the console.

import { createConnectRouter, createContextValues } from '@connectrpc/connect';
import type { UniversalHandler, UniversalServerRequest } from '@connectrpc/connect/protocol';
import {
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node';
import { limits } from '../../base/limits.js';
import { needOfMethod } from '../auth/method-needs.js';
import { HeldBytes } from '../held-bytes.js';
import type { NodeRequest, NodeResponse, RequestListener } from '../request-listener.js';
import { refusalOf } from './call-ending.js';
import { callInterceptor } from './call-interceptor.js';
import { callRecorder } from './call-recorder.js';
import { type CallState, callerKey, callStateKey, principalKey } from './call-state.js';
import type { Lane } from './lane/lane.js';
import { connectionOfRequest, sessionOf } from './peer.js';
import { RequestBody } from './request-body.js';
import { type CallRecord, nodeRequestKey, type RpcParts } from './rpc-parts.js';
import { rpcRoutes } from './rpc-routes.js';
import { admitCall } from './token-admission.js';
import { wholeBody, wholeMessages } from './whole-messages.js';

/** Larger than any answer: blobs hardly shrink, and digests not at all. */
const compressNothing = 0xffff_ffff;

/** Answers RPCs in Connect, gRPC and gRPC-Web, those of the lane there; hands every other request to `fallback`. */
export function rpcHandler(parts: RpcParts, fallback: RequestListener, lane?: Lane): RequestListener {
  const router = createConnectRouter({
    acceptCompression: [compressionGzip],
    compressMinBytes: compressNothing,
    readMaxBytes: limits.requestMessageBytesMax,
    writeMaxBytes: limits.answerBytesMax,
    maxTimeoutMs: limits.callMillisecondsMax,
    shutdownSignal: parts.shutdown,
    interceptors: [callInterceptor(parts)],
  });
  rpcRoutes(parts)(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  for (const path of handlers.keys()) needOfMethod(path.slice(1));
  return (request, response) => {
    const handler = handlers.get(request.url?.split('?', 1)[0] ?? '');
    if (handler === undefined) fallback(request, response);
    else if (lane?.takesRequest(request, response) !== true) void answer(parts, handler, request, response);
  };
}

/** Never rejects. */
async function answer(
  parts: RpcParts,
  handler: UniversalHandler,
  request: NodeRequest,
  response: NodeResponse,
): Promise<void> {
  const held = new HeldBytes(parts.messageBudget);
  const call: CallState = {
    id: parts.nextCallId(),
    method: handler.requestPath.slice(1),
    account: '',
    code: undefined,
    held,
  };
  const values = createContextValues().set(nodeRequestKey, request).set(callStateKey, call);
  let received: UniversalServerRequest;
  try {
    received = universalRequestFromNodeRequest(request, response, undefined, values);
  } catch {
    // No Host, or one that no URL can have.
    response.writeHead(400, { connection: 'close' });
    response.end();
    return;
  }
  const connection = connectionOfRequest(request);
  const source = received.body as AsyncIterable<Uint8Array>;
  const isWhole = handler.method.methodKind === 'unary';
  const body = new RequestBody({ request, source, windows: parts.windows, held: isWhole ? held : undefined });
  let bytesOut = 0;
  const record = callRecorder(parts, call, { peer: connection.peer, protocol: protocolOf(request) });
  response.once('close', () => {
    held.release();
    record(response.writableEnded, body.bytes, bytesOut);
  });
  // A response of HTTP/2 calls itself finished only when its stream is closed, which waits for the rest to be read.
  const outlet = 'stream' in response ? response.stream : response;
  outlet.once('finish', () => void body.drain(parts.clock, limits.lingerMillisecondsMax, () => giveUp(request)));
  try {
    const caller = { ...connection, authorization: request.headers.authorization };
    values.set(callerKey, caller);
    const admitted = admitCall(parts, call.method, received.header, caller, sessionOf(request));
    const principal = admitted instanceof Promise ? await admitted : admitted;
    call.account = principal.name;
    values.set(principalKey, principal);
    if (request.headers.expect !== undefined) response.writeContinue();
  } catch (error) {
    call.refusal = refusalOf(parts, call, error, received.signal);
    body.refuse(call.refusal);
  }
  try {
    const answered = await handler({ ...received, body: isWhole ? wholeBody(body) : wholeMessages(body, held) });
    const counted = answered.body && counting(answered.body, (bytes) => (bytesOut += bytes));
    await universalResponseToNodeResponse({ ...answered, ...(counted && { body: counted }) }, response);
  } catch (error) {
    if (received.signal.aborted || response.headersSent) {
      // The caller is gone, or sees a response that ends in its middle.
      response.destroy();
      return;
    }
    parts.logger.error({ err: error, method: call.method, call: call.id }, 'call failed outside its handler');
    response.writeHead(500);
    response.end();
  }
}

function protocolOf({ headers }: NodeRequest): CallRecord['protocol'] {
  const contentType = headers['content-type'] ?? '';
  if (contentType.startsWith('application/grpc-web')) return 'grpc-web';
  return contentType.startsWith('application/grpc') ? 'grpc' : 'connect';
}

/** Ends a request whose sender goes on although it has been answered. */
function giveUp(request: NodeRequest): void {
  if ('stream' in request) request.stream.close();
  else request.socket.destroy();
}

function counting(body: AsyncIterable<Uint8Array>, count: (bytes: number) => void): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = body[Symbol.asyncIterator]();
      const counted: AsyncIterator<Uint8Array> = {
        async next() {
          const step = await iterator.next();
          if (!step.done) count(step.value.length);
          return step;
        },
      };
      if (iterator.return) counted.return = (value?: unknown) => iterator.return!(value);
      if (iterator.throw) counted.throw = (error?: unknown) => iterator.throw!(error);
      return counted;
    },
  };
}
