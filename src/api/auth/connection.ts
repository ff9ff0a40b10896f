// Who is at the other end of a connection, as far as its socket tells: where from, and by which certificate. Asked once for
// each connection: Node answers slowly.

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import ipaddr from 'ipaddr.js';
import type { Caller } from './credentials.js';

export interface Connection extends Omit<Caller, 'authorization'> {
  /** `ip:port`, `[ip]:port` for IPv6; empty when it is gone. */
  readonly peer: string;
}

type PeerSocket = Pick<Socket, 'remoteAddress' | 'remotePort'> &
  Partial<Pick<TLSSocket, 'authorized' | 'getPeerCertificate'>>;

const gone: Connection = { peer: '', address: '', certificateName: undefined };
const known = new WeakMap<object, Connection>();

/** Of what stands for the connection (a session of HTTP/2, or the socket itself), by its socket. */
export function connectionOf(key: object | undefined, socket: PeerSocket | undefined): Connection {
  if (key === undefined || socket === undefined) return gone;
  let connection = known.get(key);
  if (connection === undefined) {
    connection = look(socket);
    if (connection !== gone) known.set(key, connection);
  }
  return connection;
}

function look(socket: PeerSocket): Connection {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return gone;
  const parsed = ipaddr.process(remoteAddress);
  const address = parsed.toString();
  const peer = parsed.kind() === 'ipv6' ? `[${address}]:${remotePort}` : `${address}:${remotePort}`;
  return { peer, address, certificateName: certificateName(socket) };
}

/** Only of a certificate that the configured authorities vouch for. */
function certificateName(socket: PeerSocket): string | undefined {
  if (socket.authorized !== true) return undefined;
  const names = socket.getPeerCertificate?.().subject?.CN as string | string[] | undefined;
  // Several names are no name.
  return typeof names === 'string' ? names : undefined;
}
