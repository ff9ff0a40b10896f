// The yardstick of streams: `node:http2` and nothing else, in a process of its own. GET sends the file named on the
// command line in positioned reads of 256 KiB, without checks; POST throws the bytes away, or, where it is asked for as
// gRPC, answers with one message of the first 4 KiB.

import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';

const mib = 1024 * 1024;
const readBytes = 256 * 1024;
const smallBytes = 4096;

const file = await open(process.argv[2]!);
const { size } = await file.stat();

async function send(stream: ServerHttp2Stream): Promise<void> {
  stream.respond({ ':status': 200 });
  for (let position = 0; position < size; position += readBytes) {
    const buffer = Buffer.allocUnsafe(readBytes);
    const { bytesRead } = await file.read(buffer, 0, readBytes, position);
    if (!stream.write(buffer.subarray(0, bytesRead))) await once(stream, 'drain');
  }
  stream.end();
}

/** One message in its envelope, as short as a Download's, and the trailers that end the call. */
async function answerSmall(stream: ServerHttp2Stream): Promise<void> {
  const message = Buffer.allocUnsafe(8 + smallBytes);
  message.writeUInt8(0, 0);
  message.writeUInt32BE(3 + smallBytes, 1);
  // Field 1, bytes, and their length as a varint of two bytes.
  message.set([0x0a, 0x80, smallBytes >> 7], 5);
  await file.read(message, 8, smallBytes, 0);
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(message);
}

const server = createServer({ settings: { initialWindowSize: mib, maxFrameSize: mib } });
server.on('session', (session) => session.setLocalWindowSize(16 * mib));
server.on('stream', (stream, headers) => {
  stream.on('error', () => stream.destroy());
  if (headers[':method'] === 'GET') {
    void send(stream).catch(() => stream.destroy());
    return;
  }
  stream.resume();
  if (headers['content-type'] === 'application/grpc') {
    stream.on('end', () => void answerSmall(stream).catch(() => stream.destroy()));
    return;
  }
  stream.on('end', () => {
    stream.respond({ ':status': 200 });
    stream.end();
  });
});
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.on('SIGTERM', () => process.exit());
