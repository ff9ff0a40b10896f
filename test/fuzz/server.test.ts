// Bytes of every kind thrown at a real server's port. Whatever came in, the server answers the next ordinary question.

import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { internalMessage } from '../../src/api/error-map.js';
import { formatHash } from '../../src/base/digest.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { blobOf, expectSameBytes } from '../conformance/blob-store-kit.js';
import { type SeededRandom, seededRandom } from '../support/random.js';
import { type Served, serve } from '../support/served.js';
import { itFuzz, mutateBytes, mutateText } from './fuzzing.js';

let served: Served;
let name: string;
const bytes = blobOf(1000);

beforeAll(async () => {
  const store = new MemoryStore();
  const { digest } = await store.write(bytes);
  name = formatHash(digest.hash).slice('blake3:'.length);
  served = await serve(store);
});

afterAll(() => served.server.close());

/** Sends the pieces, and waits for the server's last byte, or a little while. */
function send(pieces: readonly Uint8Array[], patienceMilliseconds: number): Promise<number> {
  return new Promise((resolve) => {
    let received = 0;
    const socket = connect(served.port, '127.0.0.1');
    const done = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(received);
    };
    const timer = setTimeout(done, patienceMilliseconds);
    socket.on('error', done);
    socket.on('close', done);
    socket.on('data', (data) => {
      received += data.length;
    });
    for (const piece of pieces) socket.write(piece);
  });
}

async function expectAlive(): Promise<void> {
  const answer = await fetch(`${served.url}/blobs/${name}`);
  expect(answer.status).toBe(200);
  expectSameBytes(new Uint8Array(await answer.arrayBuffer()), bytes);
}

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** An HTTP/2 frame of any kind, its length now and then a lie. */
function frame(random: SeededRandom): Uint8Array {
  const payload = random.bytes(random.pick([0, 4, 5, 6, 8, 30, 300]));
  const head = Buffer.alloc(9);
  head.writeUIntBE(random.chance(0.9) ? payload.length : random.below(2 ** 24), 0, 3);
  head[3] = random.below(12);
  head[4] = random.below(256);
  head.writeUInt32BE(random.pick([0, 0, 1, 1, 3, 2, 2 ** 31 - 1]), 5);
  return Buffer.concat([head, payload]);
}

function requests(): string[] {
  const get = `GET /blobs/${name} HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes=0-9\r\n\r\n`;
  const put = `PUT /blobs/${name} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\nhello`;
  const chunked =
    'POST /blobs HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n';
  const call =
    'POST /cairn.v1.BlobService/List HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';
  return [get, put, chunked, call, 'LMOF\x01\x00\x00\x00'];
}

describe('the port', () => {
  itFuzz('any bytes', { rounds: 60 }, async (random) => {
    const volley = Array.from({ length: 8 }, () => send([random.bytes(random.below(2000))], 60));
    await Promise.all(volley);
    await expectAlive();
  });

  itFuzz('damaged HTTP/1.1', { rounds: 60, millisecondsMax: 2000 }, async (random) => {
    const volley = Array.from({ length: 8 }, () => {
      const request = mutateBytes(random, Buffer.from(random.pick(requests())));
      const cut = random.below(request.length + 1);
      return send([request.subarray(0, cut), request.subarray(cut)], 60);
    });
    await Promise.all(volley);
    await expectAlive();
  });

  itFuzz('damaged HTTP/2', { rounds: 60, millisecondsMax: 2000 }, async (random) => {
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    const volley = Array.from({ length: 8 }, () => {
      const start = random.chance(0.8) ? preface : mutateBytes(random, preface);
      const frames = Array.from({ length: random.between(1, 10) }, () => frame(random));
      return send([start, ...(random.chance(0.8) ? [settings] : []), ...frames], 60);
    });
    await Promise.all(volley);
    await expectAlive();
  });

  itFuzz('first bytes one by one', { rounds: 10 }, async (random) => {
    const request = Buffer.from(random.pick([requests()[0]!, preface.toString('latin1')]), 'latin1');
    const pieces = Array.from(request, (byte) => Uint8Array.of(byte));
    expect(await send(pieces, 150)).toBeGreaterThan(0);
  });
});

describe('requests', () => {
  itFuzz('Range headers', { rounds: 1000 }, async (random) => {
    const samples = ['bytes=0-99', 'bytes=5-', 'bytes=-5', 'bytes=0-0,5-6,-1', 'bytes=1000-', 'bytes=-0'];
    const header = mutateText(random, samples, '0123456789-,= bytes').replace(/[^\x20-\x7e]/g, '');
    const answer = await fetch(`${served.url}/blobs/${name}`, { headers: { range: header } });
    const body = new Uint8Array(await answer.arrayBuffer());
    expect([200, 206, 416], header).toContain(answer.status);
    if (answer.status === 200) expectSameBytes(body, bytes);
    const range = /^bytes (\d+)-(\d+)\/1000$/.exec(answer.headers.get('content-range') ?? '');
    if (answer.status === 206 && range !== null)
      expectSameBytes(body, bytes.subarray(Number(range[1]), Number(range[2]) + 1));
  });

  itFuzz('paths', { rounds: 500 }, async (random) => {
    const samples = [`/blobs/${name}`, '/blobs/', '/healthz', '/metrics', '/zako.v1.transport.Transport/Download'];
    const path = mutateText(random, samples, '/%.?#&=:0aé ');
    const method = random.pick(['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'PATCH']);
    if (method === 'DELETE' && path.includes(name)) return;
    const url = new URL(`${served.url}/`);
    url.pathname = path;
    const init = method === 'PUT' || method === 'POST' ? { method, body: seededRandom(3).bytes(10) } : { method };
    const answer = await fetch(url, init);
    await answer.arrayBuffer();
    expect(answer.status, `${method} ${url.pathname}`).not.toBe(500);
  });

  itFuzz('bodies of calls', { rounds: 400 }, async (random) => {
    const envelope = Buffer.concat([
      Buffer.from([random.pick([0, 0, 1, 2, 3, 0x80, 0xff])]),
      lengthOf(random, 20),
      random.bytes(20),
    ]);
    const path = random.pick([
      'zako.v1.cas.ContentAddressableStorage/NegotiateBlobs',
      'zako.v1.transport.Transport/Download',
      'zako.v1.transport.Transport/Upload',
      'cairn.v1.BlobService/FindMissing',
      'cairn.v1.BlobService/BatchWrite',
      'cairn.v1.BlobService/List',
    ]);
    const contentType = random.pick([
      'application/proto',
      'application/json',
      'application/connect+proto',
      'application/grpc-web+proto',
      'application/grpc+proto',
      'text/plain',
    ]);
    const headers = { 'content-type': contentType, 'connect-protocol-version': '1' };
    const body = mutateBytes(random, envelope);
    const answer = await fetch(`${served.url}/${path}`, { method: 'POST', headers, body: new Uint8Array(body) });
    const text = await answer.text();
    // Connect calls a message that is no Protocol Buffers `internal`, and says what is wrong with it. What the server
    // itself did not expect has this text.
    expect(text, `${path} ${contentType}`).not.toContain(internalMessage);
  });
});

function lengthOf(random: SeededRandom, bytesFollowing: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(random.pick([bytesFollowing, bytesFollowing, 0, 1, bytesFollowing + 1, 2 ** 24, 2 ** 32 - 1]));
  return length;
}
