import { once } from 'node:events';
import { connect as http2Connect } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createPort, type Port, type PortParts } from '../../src/api/port.js';
import type { RequestListener } from '../../src/api/request-listener.js';
import { LmofConnection } from '../../src/api/tcp/lmof-connection.js';
import { ByteBudget } from '../../src/base/byte-budget.js';
import { systemClock } from '../../src/base/clock.js';

let port: Port | undefined;
let number = 0;

afterEach(async () => {
  port?.drain();
  port?.destroy();
  await port?.closed();
});

/** Answers with the HTTP version. */
const answerVersion: RequestListener = (request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.end(`version ${request.httpVersionMajor}`);
};

async function open(handler: RequestListener = answerVersion, more: Partial<PortParts> = {}): Promise<void> {
  port = createPort({ handler, clock: systemClock, ...more });
  ({ port: number } = await port.listen({ host: '127.0.0.1', port: 0 }));
}

const http1Request = Buffer.from('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
/** Client preface, empty SETTINGS, GET http://localhost/ on stream 1. */
const http2Request = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
  Buffer.from([0, 0, 14, 1, 5, 0, 0, 0, 1, 0x82, 0x84, 0x86, 0x41, 9]),
  Buffer.from('localhost'),
]);

/** DELETE_REQUEST with the id 7 and an empty body. */
const lmofRequest = Buffer.concat([Buffer.from('LMOF\0\x01\0\x05'), Buffer.alloc(15), Buffer.from([7])]);

/** Answers every request, and ends when it drains. */
const lmof = (socket: Socket) =>
  new LmofConnection(socket, {
    clock: systemClock,
    budget: new ByteBudget(1000),
    session: { account: '', admit: async () => {}, perform: async () => ({ action: 'DELETE', answer: {} }) },
    onCall: () => {},
  });

/** Sends bytes in pieces that arrive one by one, and reads until the wanted text or the end. */
async function converse(bytes: Buffer, pieceBytes: number, wanted: string): Promise<string> {
  const socket = connect({ port: number, host: '127.0.0.1', noDelay: true });
  let heard = '';
  socket.on('data', (piece) => {
    heard += piece.toString('latin1');
  });
  socket.on('error', () => {});
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    await new Promise((resolve) => socket.write(bytes.subarray(at, at + pieceBytes), resolve));
    await new Promise(setImmediate);
  }
  await expect.poll(() => heard.includes(wanted) || socket.destroyed).toBe(true);
  socket.destroy();
  return heard;
}

describe('first bytes', () => {
  it.each([
    { protocol: 'HTTP/1.1', bytes: http1Request, pieceBytes: 1, want: 'version 1' },
    { protocol: 'HTTP/1.1', bytes: http1Request, pieceBytes: 3, want: 'version 1' },
    { protocol: 'HTTP/1.1', bytes: http1Request, pieceBytes: 4096, want: 'version 1' },
    {
      protocol: 'HTTP/1.1, a method that begins like the preface',
      bytes: Buffer.from('PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n'),
      pieceBytes: 1,
      want: 'version 1',
    },
    { protocol: 'HTTP/2', bytes: http2Request, pieceBytes: 1, want: 'version 2' },
    { protocol: 'HTTP/2', bytes: http2Request, pieceBytes: 3, want: 'version 2' },
    { protocol: 'HTTP/2', bytes: http2Request, pieceBytes: 25, want: 'version 2' },
    { protocol: 'HTTP/2', bytes: http2Request, pieceBytes: 4096, want: 'version 2' },
    { protocol: 'LMOF, where it is not spoken', bytes: lmofRequest, pieceBytes: 5, want: '400 Bad Request' },
    { protocol: 'neither', bytes: Buffer.from('\0\x01\x02 nonsense\r\n\r\n'), pieceBytes: 2, want: '400 Bad Request' },
  ])('$protocol in pieces of $pieceBytes bytes', async ({ bytes, pieceBytes, want }) => {
    await open();
    expect(await converse(bytes, pieceBytes, want)).toContain(want);
  });

  it.each([1, 3, 24])('LMOF in pieces of %i bytes', async (pieceBytes) => {
    await open(answerVersion, { lmof });
    expect(await converse(lmofRequest, pieceBytes, '"request_id":7')).toContain('DELETE_RESPONSE');
  });

  it('a body that nobody reads stays with its sender', async () => {
    let received = () => 0;
    await open((request) => {
      received = () => request.socket.bytesRead;
    });
    const bytes = 64 * 1024 * 1024;
    const socket = connect({ port: number, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.write(`POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${bytes}\r\n\r\n`);
    socket.write(Buffer.alloc(bytes));
    // What was not taken at once is not taken any more: nothing moves between two looks.
    let left = -1;
    while (left !== socket.writableLength || received() === 0) {
      left = socket.writableLength;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(left).toBeGreaterThan(0);
    expect(received()).toBeLessThan(1024 * 1024);
    socket.destroy();
  });

  it('a connection that never tells its protocol, or its settings, is closed in time', async () => {
    await open(answerVersion, { firstBytesMilliseconds: 100 });
    for (const said of ['', 'P', 'PRI', 'PRI ', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n']) {
      const socket = connect(number, '127.0.0.1');
      if (said !== '') socket.write(said);
      await closed(socket);
    }
    await expect.poll(() => port?.connections()).toBe(0);
  });

  it('a connection that told its protocol in time is left in peace', async () => {
    await open(answerVersion, { firstBytesMilliseconds: 100 });
    const session = http2Connect(`http://127.0.0.1:${number}`);
    await once(session, 'connect');
    await new Promise((resolve) => setTimeout(resolve, 200));
    const stream = session.request({ ':path': '/' });
    stream.resume();
    await once(stream, 'end');
    session.close();
  });

  it('a connection that ends or breaks before it says anything is forgotten', async () => {
    await open();
    const ended = connect(number, '127.0.0.1', () => ended.end('PR'));
    await closed(ended);
    const broken = connect(number, '127.0.0.1', () => broken.resetAndDestroy());
    await closed(broken);
    await expect.poll(() => port?.connections()).toBe(0);
  });
});

describe('inner servers', () => {
  it('headers that do not end are cut off', async () => {
    await open(answerVersion, { headersMilliseconds: 200 });
    const socket = connect(number, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nhost: x\r\n'));
    let heard = '';
    socket.on('data', (piece) => {
      heard += piece;
    });
    await closed(socket);
    expect(heard).toContain('408 Request Timeout');
  });

  it('HTTP/2 peers learn our windows and limits', async () => {
    await open();
    const session = http2Connect(`http://127.0.0.1:${number}`);
    const [settings] = await once(session, 'remoteSettings');
    expect(settings).toMatchObject({ initialWindowSize: 128 * 1024, maxFrameSize: 1 << 20, maxConcurrentStreams: 256 });
    const stream = session.request({ ':path': '/' });
    stream.resume();
    await once(stream, 'end');
    expect(session.state.remoteWindowSize).toBeGreaterThan(1 << 20);
    session.destroy();
  });
});

describe('drain', () => {
  it('closes what is idle, lets the rest end, and refuses newcomers', async () => {
    const waiting: (() => void)[] = [];
    await open((request, response) => {
      if (request.url === '/slow') waiting.push(() => answerVersion(request, response));
      else answerVersion(request, response);
    });
    const idle1 = connect(number, '127.0.0.1', () => idle1.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
    await once(idle1, 'data');
    const idle2 = http2Connect(`http://127.0.0.1:${number}`);
    await once(idle2, 'connect');
    const busy1 = connect(number, '127.0.0.1', () => busy1.write('GET /slow HTTP/1.1\r\nhost: x\r\n\r\n'));
    const busy2 = http2Connect(`http://127.0.0.1:${number}`);
    const slow = busy2.request({ ':path': '/slow' });
    await expect.poll(() => waiting.length).toBe(2);

    const goaway = once(busy2, 'goaway');
    port?.drain();
    await Promise.all([closed(idle1), closed(idle2), goaway]);
    const late = connect(number, '127.0.0.1');
    expect(await once(late, 'error')).toMatchObject([{ code: 'ECONNREFUSED' }]);

    let heard = '';
    busy1.on('data', (piece) => {
      heard += piece;
    });
    slow.on('data', (piece) => {
      heard += piece;
    });
    for (const answer of waiting) answer();
    await Promise.all([closed(busy2), expect.poll(() => heard).toMatch(/version 1.*version 2|version 2.*version 1/s)]);
    port?.drain();
    await closed(busy1);
    await port?.closed();
  });
});

function closed(connection: Socket | { on(event: 'close', listener: () => void): unknown }): Promise<void> {
  if ('resume' in connection) connection.resume();
  return new Promise((resolve) => {
    connection.on('close', () => resolve());
  });
}
