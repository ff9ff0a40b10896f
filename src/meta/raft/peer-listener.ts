// Where other nodes come in: a port of its own, so that no client's request stands in the way of a heartbeat. With mutual TLS
// only nodes get in: their certificates are from the authority of this group and say so (`OU=node`).

import { createSecureServer, createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { PeerService } from '../../gen/cairn/raft/v1/peer_service_pb.js';
import type { PeerTls } from './peer-links.js';
import { type PeerHost, peerService } from './peer-service.js';

export interface PeerListener {
  readonly port: number;
  /** Requests are answered from now on. */
  serve(): void;
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls: PeerTls | undefined;
}

/** `unavailable` when the address cannot be had. */
export async function listenToPeers(host: PeerHost, { listen, tls }: ListenOptions): Promise<PeerListener> {
  const sessions = new Set<ServerHttp2Session>();
  const settings = { settings: { maxConcurrentStreams: limits.streamsPerSessionCountMax } };
  const server: Http2Server =
    tls === undefined
      ? createServer(settings)
      : createSecureServer({ ...tls, ...settings, requestCert: true, rejectUnauthorized: true, allowHTTP1: false });
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
    if (tls !== undefined && !isNode(session.socket as TLSSocket)) session.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new CairnError('unavailable', `cannot listen on ${listen.host} port ${listen.port}: ${cause.message}`, {
          cause,
        }),
      );
    });
    server.listen(listen.port, listen.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    serve() {
      const routes = connectNodeAdapter({
        routes: (router) => router.service(PeerService, peerService(host)),
        readMaxBytes: limits.raftPeerMessageBytesMax,
      });
      server.on('request', routes);
    },
    async close() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}

function isNode(socket: TLSSocket): boolean {
  const unit = socket.getPeerCertificate().subject?.OU as string | string[] | undefined;
  return Array.isArray(unit) ? unit.includes('node') : unit === 'node';
}
