// The least client that can be: counts bytes, parses nothing. Every server is measured through it, so that what differs
// is the servers.

import { once } from 'node:events';
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from 'node:http2';

const mib = 1024 * 1024;

export async function openSession(url: string): Promise<ClientHttp2Session> {
  const session = connect(url, { settings: { initialWindowSize: mib, maxFrameSize: mib } });
  await once(session, 'connect');
  session.setLocalWindowSize(16 * mib);
  return session;
}

/** A gRPC message in its envelope: a flag byte, the length in big-endian, the message. */
export function envelope(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(5 + message.length);
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, 5);
  return framed;
}

export function grpcHeaders(method: string): OutgoingHttpHeaders {
  return { ':method': 'POST', ':path': method, 'content-type': 'application/grpc', te: 'trailers' };
}

/** Sends all pieces, waits for the end, and answers how many bytes came back. Fails unless the call succeeded. */
export async function exchange(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  pieces: Iterable<Uint8Array> = [],
): Promise<number> {
  const stream = session.request(headers);
  const ended = once(stream, 'end');
  let received = 0;
  let grpcStatus: unknown;
  stream.on('response', (answer) => {
    grpcStatus = answer['grpc-status'];
    if (answer[':status'] !== 200) stream.destroy(new Error(`status ${answer[':status']}`));
  });
  stream.on('trailers', (trailers) => {
    grpcStatus = trailers['grpc-status'];
  });
  stream.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  for (const piece of pieces) if (!stream.write(piece)) await Promise.race([once(stream, 'drain'), ended]);
  stream.end();
  await ended;
  if (headers['content-type'] === 'application/grpc' && grpcStatus !== '0') {
    throw new Error(`${String(headers[':path'])} ended with gRPC status ${String(grpcStatus)}`);
  }
  return received;
}
