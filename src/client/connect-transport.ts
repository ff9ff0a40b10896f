// gRPC by Connect over one HTTP/2 session of Node. Connect's session manager knows the streams' flow-control window but
// leaves the session's at 64 KiB, which holds a download to a fraction of the wire; this widens it on every session it
// opens. With h2c the session begins without negotiation; with https by ALPN.

import { setMaxListeners } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import type { Interceptor, Transport } from '@connectrpc/connect';
import { createGrpcTransport, type GrpcTransportOptions, Http2SessionManager } from '@connectrpc/connect-node';
import { limits } from '../base/limits.js';
import { authorizationOf, type ConnectOptions, tlsOptions } from './connect-options.js';
import { ReceiveWindows } from './receive-windows.js';

export interface ConnectTransport {
  readonly transport: Transport;
  /** Ends the connection and all calls under way. */
  close(): void;
}

type SessionManager = NonNullable<GrpcTransportOptions['sessionManager']>;

/** Calls back whenever a session has ended. */
export function openConnectTransport(
  baseUrl: string,
  options: ConnectOptions,
  onSessionEnd: () => void,
): ConnectTransport {
  const authorization = authorizationOf(options);
  const sessions = new Http2SessionManager(
    baseUrl,
    { pingIntervalMs: limits.clientPingIntervalMilliseconds, pingTimeoutMs: limits.clientPingMillisecondsMax },
    {
      ...tlsOptions(options),
      settings: { initialWindowSize: limits.clientFirstStreamWindowBytes, maxFrameSize: limits.clientFrameBytesMax },
    },
  );
  const prepare = (session: ClientHttp2Session) => {
    session.setLocalWindowSize(limits.clientSessionWindowBytes);
    session.once('close', onSessionEnd);
  };
  return {
    transport: forManyCalls(
      createGrpcTransport({
        baseUrl,
        sessionManager: eachSession(sessions, prepare),
        acceptCompression: [],
        interceptors: authorization === undefined ? [] : [presenting(authorization)],
        readMaxBytes: limits.requestMessageBytesMax,
        writeMaxBytes: limits.requestMessageBytesMax,
      }),
    ),
    close: () => sessions.abort(),
  };
}

/** Every call carries the account's credentials. */
function presenting(authorization: string): Interceptor {
  return (next) => (request) => {
    request.header.set('authorization', authorization);
    return next(request);
  };
}

/** Node warns of a leak when more than ten calls listen to one signal; here that is ordinary, and each lets go. */
function forManyCalls(transport: Transport): Transport {
  const prepare = (signal: AbortSignal | undefined) => signal && setMaxListeners(0, signal);
  return {
    unary(method, signal, ...rest) {
      prepare(signal);
      return transport.unary(method, signal, ...rest);
    },
    stream(method, signal, ...rest) {
      prepare(signal);
      return transport.stream(method, signal, ...rest);
    },
  };
}

/** The same manager, except that every session is prepared before its first response can arrive, and its windows looked after. */
function eachSession(manager: Http2SessionManager, prepare: (session: ClientHttp2Session) => void): SessionManager {
  const windows = new WeakMap<ClientHttp2Session, ReceiveWindows>();
  return {
    authority: manager.authority,
    async request(method, path, headers, options): Promise<ClientHttp2Stream> {
      const stream = await manager.request(method, path, headers, options);
      const session = stream.session as ClientHttp2Session | undefined;
      if (session === undefined) return stream;
      let ofSession = windows.get(session);
      if (ofSession === undefined) {
        ofSession = new ReceiveWindows(session);
        windows.set(session, ofSession);
        prepare(session);
      }
      ofSession.opened(stream);
      return stream;
    },
    notifyResponseByteRead(stream) {
      const session = stream.session as ClientHttp2Session | undefined;
      if (session !== undefined) windows.get(session)?.read();
      manager.notifyResponseByteRead(stream);
    },
  };
}
