// The yardstick of ranges: `node:http` and a file, in a process of its own. GET sends the file named on the command line, or
// the one range that is asked for, each with one positioned read and without checks.

import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const file = await open(process.argv[2]!);
const { size } = await file.stat();

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, first = '0', last = `${size - 1}`] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  const start = Number(first);
  const length = Number(last) - start + 1;
  const buffer = Buffer.allocUnsafe(length);
  await file.read(buffer, 0, length, start);
  const isRange = request.headers.range !== undefined;
  const headers = { 'content-length': length, ...(isRange && { 'content-range': `bytes ${start}-${last}/${size}` }) };
  response.writeHead(isRange ? 206 : 200, headers);
  response.end(buffer);
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy());
});
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.on('SIGTERM', () => process.exit());
