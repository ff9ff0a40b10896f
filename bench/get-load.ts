// GETs of one path over HTTP/1.1, in a process of their own: `get-load.js URL PATH CONNECTIONS SECONDS`. One request after the
// other on each connection, as fast as they are answered. Prints how many answers came.

import { connect } from 'node:net';

const [url, path, connections, seconds] = process.argv.slice(2) as [string, string, string, string];
const { hostname, port } = new URL(url);
const request = Buffer.from(`GET ${path} HTTP/1.1\r\nhost: ${hostname}:${port}\r\n\r\n`);
const headEnd = Buffer.from('\r\n\r\n');

let answers = 0;

function start(): void {
  const socket = connect({ port: Number(port), host: hostname, noDelay: true });
  /** Bytes of the answer under way that have not come; undefined while its head is not known. */
  let left: number | undefined;
  socket.on('data', (piece: Buffer) => {
    if (left === undefined) {
      // A head comes in one piece on loopback.
      const end = piece.indexOf(headEnd) + headEnd.length;
      const length = /content-length: (\d+)/i.exec(piece.toString('latin1', 0, end))?.[1];
      if (length === undefined) throw new Error(`no answer to a GET: ${piece.toString('latin1', 0, 80)}`);
      left = Number(length) - (piece.length - end);
    } else {
      left -= piece.length;
    }
    if (left > 0) return;
    left = undefined;
    answers++;
    socket.write(request);
  });
  socket.write(request);
}

for (let i = 0; i < Number(connections); i++) start();
setTimeout(() => {
  console.log(answers);
  process.exit();
}, 1000 * Number(seconds));
