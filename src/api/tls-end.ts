// The server's end of TLS on connections that somebody else accepted. What was encrypted comes out as another socket, with
// the protocol that both sides agreed on (ALPN, RFC 7301), or without: then its first bytes tell, as on a plain port.
// Certificates may be changed at any time; connections that stand keep theirs.

import type { Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { limits } from '../base/limits.js';

/** In PEM. */
export interface Certificates {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Authorities of clients' certificates: who has none of them is sent away. Undefined: clients need no certificate. */
  readonly clientCa: Buffer | undefined;
}

export interface TlsEnd {
  /** Takes over an accepted socket; calls back once the handshake is done. One that fails ends the socket. */
  decrypt(socket: Socket, done: (decrypted: TLSSocket) => void): void;
  setCertificates(certificates: Certificates): void;
}

export function createTlsEnd(certificates: Certificates): TlsEnd {
  /** By both ends of the connection: Node does not tell which socket a decrypted one came from. */
  const waiting = new Map<string, (decrypted: TLSSocket) => void>();
  const asksForCertificates = certificates.clientCa !== undefined;
  const server = createServer({
    ...contextOf(certificates),
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: limits.firstBytesMillisecondsMax,
    requestCert: asksForCertificates,
    rejectUnauthorized: asksForCertificates,
  });
  server.on('secureConnection', (decrypted) => {
    const done = waiting.get(endsOf(decrypted));
    if (done === undefined) decrypted.destroy();
    else done(decrypted);
  });
  // Whoever cannot speak TLS, or has no good certificate, learns it from TLS itself.
  server.on('tlsClientError', (_, socket) => socket.destroy());
  return {
    decrypt(socket, done) {
      // Told again by the decrypted socket.
      socket.on('error', () => {});
      const ends = endsOf(socket);
      waiting.set(ends, done);
      socket.once('close', () => {
        if (waiting.get(ends) === done) waiting.delete(ends);
      });
      server.emit('connection', socket);
    },
    setCertificates: (changed) => server.setSecureContext(contextOf(changed)),
  };
}

function contextOf({ cert, key, clientCa }: Certificates) {
  return { cert, key, ...(clientCa !== undefined && { ca: clientCa }), minVersion: 'TLSv1.2' } as const;
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
