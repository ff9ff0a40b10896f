// The yardstick of streams: `node:http2` and nothing else, in a process of its own. GET sends the file named on the
// command line in positioned reads of 256 KiB, without checks; POST throws the bytes away.

import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';

const mib = 1024 * 1024;
const readBytes = 256 * 1024;

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

const server = createServer({ settings: { initialWindowSize: mib, maxFrameSize: mib } });
server.on('session', (session) => session.setLocalWindowSize(16 * mib));
server.on('stream', (stream, headers) => {
  stream.on('error', () => stream.destroy());
  if (headers[':method'] === 'GET') {
    void send(stream).catch(() => stream.destroy());
    return;
  }
  stream.resume();
  stream.on('end', () => {
    stream.respond({ ':status': 200 });
    stream.end();
  });
});
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.on('SIGTERM', () => process.exit());
