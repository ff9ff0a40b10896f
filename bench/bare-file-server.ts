// The yardstick of HTTP/1.1: `node:http` and a file, in a process of its own. GET sends the file named on the command line, or
// the one range that is asked for, in positioned reads of 256 KiB and without checks; PUT throws the bytes away.

import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const readBytes = 256 * 1024;
const file = await open(process.argv[2]!);
const { size } = await file.stat();

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, first = '0', last = `${size - 1}`] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  const start = Number(first);
  const length = Number(last) - start + 1;
  const isRange = request.headers.range !== undefined;
  const headers = { 'content-length': length, ...(isRange && { 'content-range': `bytes ${start}-${last}/${size}` }) };
  response.writeHead(isRange ? 206 : 200, headers);
  for (let position = start; position < start + length; position += readBytes) {
    const buffer = Buffer.allocUnsafe(Math.min(readBytes, start + length - position));
    await file.read(buffer, 0, buffer.length, position);
    if (position + buffer.length === start + length) response.end(buffer);
    else if (!response.write(buffer)) await once(response, 'drain');
  }
}

const server = createServer((request, response) => {
  if (request.method === 'PUT') {
    request.resume().on('end', () => response.end());
    return;
  }
  answer(request, response).catch(() => response.destroy());
});
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.on('SIGTERM', () => process.exit());
