// The way a worker passes on what it does not answer itself: a local socket to the thread that owns everything. A connection
// over it begins with one line of JSON that says who is at the other end of the client's connection, so that the owner sees
// what it would have seen; then comes whatever the client's connection would have brought, in the clear. The sockets lie in
// a directory that nobody else may enter.

import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';

/** Both ends of a client's connection. */
interface Ends {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  /** Whether TLS has verified a certificate, and its subject's common name. */
  readonly authorized: boolean;
  readonly commonName: string | readonly string[] | undefined;
}

type ClientSocket = Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'> &
  Partial<Pick<TLSSocket, 'authorized' | 'getPeerCertificate'>>;

/** Opens a connection to the owner on behalf of a client's. */
export function openTunnel(path: string, client: ClientSocket): Socket {
  const { remoteAddress, remotePort, localAddress, localPort, authorized = false } = client;
  const commonName = authorized ? client.getPeerCertificate?.().subject?.CN : undefined;
  const ends: Ends = { remoteAddress, remotePort, localAddress, localPort, authorized, commonName };
  const socket = connect({ path, noDelay: true, allowHalfOpen: true });
  socket.write(`${JSON.stringify(ends)}\n`);
  return socket;
}

export interface TunnelEnds {
  /** Where a worker reaches the port of each address, in the order given. */
  readonly paths: readonly string[];
  close(): Promise<void>;
}

/** Hands connections of each tunnel to its receiver, as if their clients had connected to it. */
export async function listenForTunnels(receivers: readonly ((socket: Socket) => void)[]): Promise<TunnelEnds> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-'));
  const servers = receivers.map((receive) =>
    createServer({ allowHalfOpen: true }, (socket) => {
      // Told again by whoever receives it.
      socket.on('error', () => {});
      readEnds(socket, (ends) => receive(disguised(socket, ends)));
    }),
  );
  const paths = receivers.map((_receive, index) => join(directory, String(index)));
  const close = async () => {
    for (const server of servers) server.close();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await Promise.all(
      servers.map(
        (server, index) =>
          new Promise<void>((resolve, reject) => server.once('error', reject).listen(paths[index], resolve)),
      ),
    );
  } catch (cause) {
    await close();
    throw new CairnError('unavailable', `cannot listen in ${directory}`, { cause });
  }
  return { paths, close };
}

function readEnds(socket: Socket, done: (ends: Ends) => void): void {
  let line = Buffer.alloc(0);
  const onReadable = () => {
    for (let piece = socket.read(); piece !== null; piece = socket.read()) {
      line = Buffer.concat([line, piece as Buffer]);
      const end = line.indexOf('\n');
      if (end < 0 && line.length < limits.tunnelLineBytesMax) continue;
      socket.off('readable', onReadable);
      if (end < 0) {
        socket.destroy();
        return;
      }
      if (end + 1 < line.length) socket.unshift(line.subarray(end + 1));
      done(JSON.parse(line.subarray(0, end).toString()) as Ends);
      return;
    }
  };
  socket.on('readable', onReadable);
}

/** The same socket, which says of itself what the client's would. */
function disguised(socket: Socket, { commonName, ...ends }: Ends): Socket {
  const shown = { ...ends, getPeerCertificate: () => ({ subject: { CN: commonName } }) };
  for (const [name, value] of Object.entries(shown)) Object.defineProperty(socket, name, { value });
  return socket;
}
