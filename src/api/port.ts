// One port for every face, plain or behind TLS. A connection's first bytes are collected until they tell which protocol it
// speaks, unless TLS has agreed on one, are put back, and the socket is handed to an inner server that never listens itself:
//   `PRI ` (the client preface, RFC 9113 section 3.4)  → HTTP/2
//   `LMOF` (the magic of docs/LMOF.md)                 → LMOF, where it is spoken
//   anything else                                      → HTTP/1.1
// This file owns a socket until it is handed over, and knows all of them until they close.

import { createServer as createHttp1Server, type Server as Http1Server } from 'node:http';
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';

import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';
import { createListener, type Listener } from './listener.js';
import type { RequestListeners } from './request-listener.js';
import { dispatchStreams } from './stream-dispatch.js';
import { lmofMagic } from './tcp/header.js';
import type { TlsEnd } from './tls-end.js';

/** A connection that is not HTTP. */
interface OtherConnection {
  /** Resolves when it is over. */
  run(): Promise<void>;
  /** Answers what was asked, and ends. */
  drain(): void;
}

export interface PortParts {
  /** Answers every request of both HTTP versions, also those that wait for `100 Continue` before they send a body. */
  readonly handler: RequestListeners['handler'];
  /** Asked first about every stream of HTTP/2. */
  readonly streams?: RequestListeners['streams'] | undefined;
  /** Takes connections that begin like LMOF; undefined where it is not spoken. */
  readonly lmof?: ((socket: Socket) => OtherConnection) | undefined;
  /** Undefined on a port in plain text. */
  readonly tls?: TlsEnd | undefined;
  readonly clock: Clock;
  /** Time for the first bytes; by default the limit. */
  readonly firstBytesMilliseconds?: number | undefined;
  /** Time for a request's headers; by default the limit. */
  readonly headersMilliseconds?: number | undefined;
}

export interface Port extends Pick<Listener, 'listen'> {
  /** Takes a connection that another listener has accepted. */
  accept(socket: Socket): void;
  /** Takes a connection that came in elsewhere, and was decrypted there. */
  adopt(socket: Socket): void;
  connections(): number;
  /** Accepts nothing more, tells HTTP/2 peers to go away, and closes what is idle. Calls in flight go on. */
  drain(): void;
  /** Resolves when the last connection is gone, and nobody works for it any more; call `drain` first. */
  closed(): Promise<void>;
  /** Ends whatever is left, mid-answer too. */
  destroy(): void;
}

type Protocol = 'http1' | 'http2' | 'lmof';

/** Of one length. */
const prefaces = [
  { bytes: Buffer.from('PRI '), protocol: 'http2' },
  { bytes: lmofMagic, protocol: 'lmof' },
] as const;

/** What the first bytes say, or undefined when they could still become something else. */
function protocolOf(first: Buffer): Protocol | undefined {
  const preface = prefaces.find(({ bytes }) => first.subarray(0, bytes.length).equals(bytes.subarray(0, first.length)));
  if (preface === undefined) return 'http1';
  return first.length >= preface.bytes.length ? preface.protocol : undefined;
}

/** Collects first bytes, however they are cut, until the protocol is known; a socket that never tells is destroyed. */
function recognize(socket: Socket, clock: Clock, milliseconds: number, found: (protocol: Protocol) => void): void {
  let first = Buffer.alloc(0);
  const cancelTimeout = clock.after(milliseconds, () => socket.destroy());

  const onReadable = () => {
    for (let piece = socket.read(); piece !== null; piece = socket.read()) first = Buffer.concat([first, piece]);
    const protocol = protocolOf(first);
    if (protocol !== undefined) {
      socket.off('readable', onReadable);
      socket.unshift(first);
      // One tick later the stream has forgotten that it was read by hand. Until then it would not stop when it is told to,
      // and a body that nobody reads would come in all the same.
      process.nextTick(() => {
        release();
        if (!socket.destroyed) found(protocol);
      });
    } else if (first.length >= limits.firstBytesMax) {
      socket.destroy();
    }
  };
  const onEnd = () => socket.destroy();
  // The connection broke before it said anything: there is nobody to tell.
  const onError = () => {};
  const release = () => {
    cancelTimeout();
    socket.off('readable', onReadable).off('end', onEnd).off('error', onError).off('close', release);
  };
  socket.on('readable', onReadable).on('end', onEnd).on('error', onError).on('close', release);
}

function createInnerHttp1(parts: PortParts): Http1Server {
  const server = createHttp1Server(
    {
      // An upload takes as long as it takes; a stalled one is ended where its body is read.
      requestTimeout: 0,
      headersTimeout: parts.headersMilliseconds ?? limits.headersMillisecondsMax,
      connectionsCheckingInterval: Math.min(parts.headersMilliseconds ?? limits.headersMillisecondsMax, 10_000),
      keepAliveTimeout: limits.idleConnectionMillisecondsMax,
    },
    parts.handler,
  );
  server.on('checkContinue', parts.handler);
  // A server that never listens looks after none of its timeouts and idle connections until it is told that it does.
  server.emit('listening');
  return server;
}

function createInnerHttp2(parts: PortParts): Http2Server {
  const server = createHttp2Server(
    {
      maxSessionMemory: limits.sessionMemoryMebibytesMax,
      settings: {
        initialWindowSize: limits.streamWindowBytes,
        maxFrameSize: limits.frameBytesMax,
        maxConcurrentStreams: limits.streamsPerSessionCountMax,
      },
    },
    parts.handler,
  );
  server.on('checkContinue', parts.handler);
  if (parts.streams !== undefined) dispatchStreams(server, parts.streams);
  server.on('session', (session) => session.setLocalWindowSize(limits.sessionWindowBytes));
  return server;
}

export function createPort(parts: PortParts): Port {
  const http1 = createInnerHttp1(parts);
  const http2 = createInnerHttp2(parts);
  const sockets = new Set<Socket>();
  /** Those that have not told their protocol yet. */
  const strangers = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  /** With what resolves when each is over. */
  const lmofConnections = new Map<OtherConnection, Promise<void>>();
  let draining = false;
  let onClosed = () => {};
  const whenClosed = new Promise<void>((resolve) => {
    onClosed = resolve;
  });
  const checkClosed = () => {
    if (draining && !listener.isListening && sockets.size === 0) onClosed();
  };

  const milliseconds = parts.firstBytesMilliseconds ?? limits.firstBytesMillisecondsMax;
  http2.on('session', (session) => {
    sessions.add(session);
    // With its settings a peer has said all that it has to say by itself (RFC 9113 section 3.4).
    const cancelTimeout = parts.clock.after(milliseconds, () => session.destroy());
    session.once('remoteSettings', cancelTimeout);
    session.on('close', () => {
      cancelTimeout();
      sessions.delete(session);
    });
    if (draining) session.close();
  });

  const serveLmof = (connection: OtherConnection) => {
    lmofConnections.set(
      connection,
      connection.run().finally(() => lmofConnections.delete(connection)),
    );
    if (draining) connection.drain();
  };

  const serve = (socket: Socket, protocol: Protocol) => {
    if (protocol === 'lmof' && parts.lmof !== undefined) {
      serveLmof(parts.lmof(socket));
      return;
    }
    // Node's HTTP/1.1 server deals with half-open connections by itself; an HTTP/2 session would never notice.
    if (protocol === 'http2') socket.allowHalfOpen = false;
    (protocol === 'http2' ? http2 : http1).emit('connection', socket);
  };

  const keep = (socket: Socket) => {
    sockets.add(socket);
    strangers.add(socket);
    socket.on('close', () => {
      sockets.delete(socket);
      strangers.delete(socket);
      checkClosed();
    });
  };
  const serveRecognized = (socket: Socket) => {
    recognize(socket, parts.clock, milliseconds, (protocol) => {
      strangers.delete(socket);
      serve(socket, protocol);
    });
  };
  const accept = (socket: Socket) => {
    // From a listener that is somebody else's to close connections may still come.
    if (draining) {
      socket.destroy();
      return;
    }
    keep(socket);
    if (parts.tls === undefined) {
      serveRecognized(socket);
      return;
    }
    /** `spoken` is what came out of the accepted socket. */
    const found = (spoken: Socket, protocol: Protocol) => {
      strangers.delete(socket);
      serve(spoken, protocol);
    };
    parts.tls.decrypt(socket, (decrypted) => {
      const agreed = decrypted.alpnProtocol;
      if (agreed === 'h2' || agreed === 'http/1.1') {
        found(decrypted, agreed === 'h2' ? 'http2' : 'http1');
        return;
      }
      recognize(decrypted, parts.clock, milliseconds, (protocol) => {
        // Node's HTTP/2 server believes this alone.
        if (protocol === 'http2') decrypted.alpnProtocol = 'h2';
        found(decrypted, protocol);
      });
    });
  };
  const listener = createListener(accept);

  return {
    listen: (at) => listener.listen(at),
    accept,
    adopt(socket) {
      keep(socket);
      serveRecognized(socket);
    },
    connections: () => sockets.size,
    drain() {
      if (draining) {
        // Connections that have come to rest since.
        http1.closeIdleConnections();
        return;
      }
      draining = true;
      if (listener.isListening) void listener.close().then(checkClosed);
      checkClosed();
      // Its callback complains that it never listened.
      http1.close(() => {});
      for (const session of sessions) session.close();
      for (const connection of lmofConnections.keys()) connection.drain();
      for (const socket of strangers) socket.destroy();
    },
    async closed() {
      await whenClosed;
      await Promise.all(lmofConnections.values());
    },
    destroy() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
