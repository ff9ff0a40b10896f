// Who is at the two ends of a call's connection, as far as its socket tells.

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import ipaddr from 'ipaddr.js';
import type { SocketAddressSchema } from '../../gen/zako/v1/net/net_pb.js';
import { type Connection, connectionOf } from '../auth/connection.js';
import type { NodeRequest } from '../request-listener.js';
import { nodeRequestKey, type SocketEndpoint } from './rpc-parts.js';

/** The HTTP/2 session a request came on. */
export function sessionOf(request: NodeRequest | undefined): object | undefined {
  return request !== undefined && 'stream' in request ? request.stream.session : undefined;
}

/** The connection a request came on. */
export function connectionOfRequest(request: NodeRequest): Connection {
  return connectionOf(sessionOf(request) ?? request.socket, request.socket);
}

/** Whether the caller's connection comes from this machine. A proxy on this machine looks the same. */
export function isLocalPeer(context: Pick<HandlerContext, 'values'>): boolean {
  const remoteAddress = context.values.get(nodeRequestKey)?.socket.remoteAddress;
  return remoteAddress !== undefined && ipaddr.process(remoteAddress).range() === 'loopback';
}

/** The address and port the caller reached; undefined when the call did not come over a socket. */
export function localEndpoint(context: Pick<HandlerContext, 'values'>): SocketEndpoint | undefined {
  const socket = context.values.get(nodeRequestKey)?.socket;
  if (socket?.localAddress === undefined || socket.localPort === undefined) return undefined;
  return { ip: socket.localAddress, port: socket.localPort };
}

/** The wire's form: IPv4 as a number, also when it was mapped into IPv6. The address must be an IP literal. */
export function toSocketAddress({ ip, port }: SocketEndpoint): MessageInitShape<typeof SocketAddressSchema> {
  const address = ipaddr.process(ip);
  const bytes = Uint8Array.from(address.toByteArray());
  if (address.kind() === 'ipv6') return { ip: { ipAddr: { case: 'v6', value: bytes } }, port };
  return { ip: { ipAddr: { case: 'v4', value: new DataView(bytes.buffer).getUint32(0) } }, port };
}
