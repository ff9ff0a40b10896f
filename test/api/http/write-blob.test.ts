import { once } from 'node:events';
import { Agent, request as http1Request } from 'node:http';
import { constants, connect as http2Connect } from 'node:http2';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatHash, hashHex } from '../../../src/base/digest.js';
import { CairnError } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import { digestBlob } from '../../../src/blake3/hasher.js';
import { type Asked, ask, type HttpVersion } from '../../support/http-client.js';
import { seededRandom } from '../../support/random.js';
import { type Served, serve, WatchedStore } from '../../support/served.js';

const blob = seededRandom(7).bytes(300_000);
const other = seededRandom(8).bytes(300_000);
const { hash } = digestBlob(blob);
const path = `/blobs/${hashHex(hash)}`;
const written = { digest: formatHash(hash), size: blob.length };
const emptyPath = '/blobs/af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';

let store: WatchedStore;
let served: Served;

beforeEach(async () => {
  store = new WatchedStore();
  served = await serve(store);
});
afterEach(() => served.server.close());

interface Row extends Asked {
  readonly name: string;
  readonly at?: string;
  /** The blob is there before. */
  readonly there?: boolean;
  readonly status: number;
  readonly code?: string;
  readonly continued?: boolean;
  /** Whether the blob is there afterwards. */
  readonly stored: boolean;
}

const length = { 'content-length': `${blob.length}` };
const chunked = { 'transfer-encoding': 'chunked' };
const expectContinue = { ...length, expect: '100-continue' };

const put: Row[] = [
  { name: 'new', headers: length, body: blob, status: 201, stored: true },
  { name: 'new, of unknown length', headers: chunked, body: blob, status: 201, stored: true },
  { name: 'there already', there: true, headers: length, body: blob, status: 200, stored: true },
  { name: 'there already, of unknown length', there: true, headers: chunked, body: blob, status: 200, stored: true },
  { name: 'wrong bytes', headers: length, body: other, status: 400, code: 'digest_mismatch', stored: false },
  {
    name: 'wrong bytes, of unknown length',
    headers: chunked,
    body: other,
    status: 400,
    code: 'digest_mismatch',
    stored: false,
  },
  {
    name: 'wrong bytes though it is there',
    there: true,
    headers: length,
    body: other,
    status: 400,
    code: 'digest_mismatch',
    stored: true,
  },
  {
    name: 'wrong length though it is there',
    there: true,
    headers: { 'content-length': '3' },
    body: blob.subarray(0, 3),
    status: 400,
    code: 'digest_mismatch',
    stored: true,
  },
  {
    name: 'too many bytes though it is there',
    there: true,
    headers: chunked,
    body: Buffer.concat([blob, other]),
    status: 400,
    code: 'digest_mismatch',
    stored: true,
  },
  {
    name: 'too few bytes',
    headers: { 'content-length': '9' },
    body: blob.subarray(0, 9),
    status: 400,
    code: 'digest_mismatch',
    stored: false,
  },
  {
    name: 'no digest',
    at: '/blobs/xyz',
    headers: length,
    body: blob,
    status: 400,
    code: 'invalid_argument',
    stored: false,
  },
  { name: 'waits and is let', headers: expectContinue, body: blob, status: 201, continued: true, stored: true },
  {
    name: 'waits and is spared it',
    there: true,
    headers: expectContinue,
    body: blob,
    status: 200,
    continued: false,
    stored: true,
  },
  {
    name: 'waits and is refused',
    at: '/blobs/xyz',
    headers: expectContinue,
    body: blob,
    status: 400,
    continued: false,
    stored: false,
  },
  {
    name: 'waits and has announced too much',
    headers: { 'content-length': `${limits.blobBytesMax + 1}`, expect: '100-continue' },
    status: 413,
    code: 'too_large',
    continued: false,
    stored: false,
  },
  {
    name: 'only if new, and it is',
    headers: { ...length, 'if-none-match': '*' },
    body: blob,
    status: 201,
    stored: true,
  },
  {
    name: 'only if new, and it is not',
    there: true,
    headers: { ...length, 'if-none-match': '*' },
    body: blob,
    status: 412,
    code: 'failed_precondition',
    stored: true,
  },
  {
    name: 'only if there, and it is not',
    headers: { ...length, 'if-match': '*' },
    body: blob,
    status: 412,
    code: 'failed_precondition',
    stored: false,
  },
  {
    name: 'a part',
    headers: { ...length, 'content-range': 'bytes 0-299999/900000' },
    body: blob,
    status: 400,
    code: 'invalid_argument',
    stored: false,
  },
  {
    name: 'compressed',
    headers: { ...length, 'content-encoding': 'gzip' },
    body: blob,
    status: 400,
    code: 'invalid_argument',
    stored: false,
  },
];

describe.each<HttpVersion>(['h1', 'h2'])('writing over %s', (version) => {
  const isThere = async () => (await store.stat([hash]))[0] !== undefined;
  /** HTTP/2 has no such header: a body of unknown length simply comes. */
  const headersOf = ({ headers = {} }: Asked) =>
    version === 'h1'
      ? headers
      : Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'transfer-encoding'));

  it.each(put)('PUT: $name', async (row) => {
    if (row.there) await store.write(blob);
    const answer = await ask(version, served.url + (row.at ?? path), {
      method: 'PUT',
      body: row.body,
      headers: headersOf(row),
    });
    const said = JSON.parse(answer.body.toString());
    expect(answer.status).toBe(row.status);
    if (row.status < 300) {
      expect(said).toEqual(written);
      expect(answer.headers).toMatchObject({ location: path, etag: `"${written.digest}"` });
    }
    if (row.code !== undefined) expect(said.code).toBe(row.code);
    if (row.continued !== undefined) expect(answer.continued).toBe(row.continued);
    expect(await isThere()).toBe(row.stored);
  });

  it('PUT and POST of the empty blob', async () => {
    const body = new Uint8Array(0);
    expect((await ask(version, served.url + emptyPath, { method: 'PUT', body })).status).toBe(200);
    const posted = await ask(version, `${served.url}/blobs`, { method: 'POST', body });
    expect([posted.status, posted.headers.location]).toEqual([200, emptyPath]);
  });

  it('POST names what it took', async () => {
    for (const [headers, status] of [
      [length, 201],
      [chunked, 200],
      [expectContinue, 200],
    ] as const) {
      const answer = await ask(version, `${served.url}/blobs`, {
        method: 'POST',
        body: blob,
        headers: headersOf({ headers }),
      });
      expect(answer.status).toBe(status);
      expect(JSON.parse(answer.body.toString())).toEqual(written);
      expect(answer.headers).toMatchObject({ location: path, etag: `"${written.digest}"` });
    }
  });

  it('DELETE removes once', async () => {
    await store.write(blob);
    const gone = await ask(version, served.url + path, { method: 'DELETE' });
    expect([gone.status, gone.body.length, gone.headers['content-length']]).toEqual([204, 0, undefined]);
    expect(await isThere()).toBe(false);
    const again = await ask(version, served.url + path, { method: 'DELETE' });
    expect([again.status, JSON.parse(again.body.toString()).code]).toEqual([404, 'not_found']);
  });

  it('DELETE keeps to its conditions', async () => {
    await store.write(blob);
    for (const headers of [{ 'if-match': '"other"' }, { 'if-none-match': '*' }]) {
      const kept = await ask(version, served.url + path, { method: 'DELETE', headers });
      expect([kept.status, await isThere()]).toEqual([412, true]);
    }
    const headers = { 'if-match': `"${written.digest}"` };
    expect((await ask(version, served.url + path, { method: 'DELETE', headers })).status).toBe(204);
    expect((await ask(version, served.url + path, { method: 'DELETE', headers })).status).toBe(412);
  });

  it('answers a store that fails in the middle of a body', async () => {
    store.write = async (source) => {
      for await (const _ of source as AsyncIterable<Uint8Array>) throw new CairnError('no_space', 'the disk is full');
      throw new Error('no piece came');
    };
    const answer = await ask(version, `${served.url}/blobs`, { method: 'POST', body: blob });
    expect([answer.status, JSON.parse(answer.body.toString()).code]).toEqual([507, 'no_space']);
  });

  it('answers the loser of a race before its body ends', async () => {
    store.write = async () => ({ digest: digestBlob(blob), existed: true, durability: 'memory' });
    const answer = await ask(version, served.url + path, {
      method: 'PUT',
      body: blob,
      headers: headersOf({ headers: chunked }),
    });
    expect(answer.status).toBe(200);
  });
});

it('an HTTP/1.1 client answered early can send the rest, and use its connection again', async () => {
  store.write = async (source) => {
    const pieces = (source as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    await pieces.next();
    // Interrupted while it waits for more.
    void pieces.next();
    void pieces.return?.();
    return { digest: digestBlob(blob), existed: true, durability: 'memory' };
  };
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const request = http1Request(`${served.url}/blobs`, { method: 'POST', agent });
  request.write('some');
  const [response] = await once(request, 'response');
  expect(response.statusCode).toBe(200);
  response.resume();
  for (let i = 0; i < 64; i++) await send((done) => request.write(blob, done));
  request.end();
  const next = http1Request(`${served.url}/healthz`, { agent }).end();
  const [second] = await once(next, 'response');
  expect(second.statusCode).toBe(200);
  expect(next.socket).toBe(request.socket);
  second.resume();
  agent.destroy();
});

/** Ways to leave an upload half done; each has sent some bytes of the blob. */
const departures: { name: string; leave: () => Promise<void> }[] = [
  {
    name: 'HTTP/1.1, of known length',
    leave: async () => {
      const socket = connect(served.port, '127.0.0.1');
      socket.write(`POST /blobs HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${blob.length}\r\n\r\n`);
      await send((done) => socket.write(blob.subarray(0, 100_000), done));
      socket.destroy();
    },
  },
  {
    name: 'HTTP/1.1, of known length, half-closed',
    leave: async () => {
      const socket = connect(served.port, '127.0.0.1');
      socket.write(`POST /blobs HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${blob.length}\r\n\r\n`);
      socket.end(blob.subarray(0, 100_000));
      socket.resume();
      await once(socket, 'close');
    },
  },
  {
    name: 'HTTP/1.1, chunked',
    leave: async () => {
      const request = http1Request(`${served.url}/blobs`, { method: 'POST', agent: false });
      request.on('error', () => {});
      await send((done) => request.write(blob.subarray(0, 100_000), done));
      request.destroy();
    },
  },
  // By hand: Node's client ends a stream properly before it resets it.
  ...[constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_CANCEL, constants.NGHTTP2_INTERNAL_ERROR].map((code) => ({
    name: `HTTP/2, stream reset with code ${code}`,
    leave: async () => {
      const socket = connect(served.port, '127.0.0.1');
      const data = [0, 1, 2].map((i) => frame(0, 0, 1, blob.subarray(i * 16_384, (i + 1) * 16_384)));
      socket.write(
        Buffer.concat([http2Preface, frame(4, 0, 0, new Uint8Array(0)), frame(1, 4, 1, postBlobs), ...data]),
      );
      await expect.poll(() => bodiesBegun).toBe(1);
      socket.write(frame(3, 0, 1, Uint8Array.of(0, 0, 0, code)));
      await expect.poll(() => bodiesEnded).toBe(1);
      socket.destroy();
    },
  })),
  {
    name: 'HTTP/2, connection lost',
    leave: async () => {
      const session = http2Connect(served.url);
      const stream = session.request({ ':method': 'POST', ':path': '/blobs' });
      stream.on('error', () => {});
      stream.write(blob.subarray(0, 60_000));
      await expect.poll(() => bodiesBegun).toBe(1);
      session.destroy();
    },
  },
];

const http2Preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** POST http://localhost/blobs in HPACK, without Huffman coding: three entries of the static table, two literals. */
const postBlobs = Buffer.concat([
  Buffer.from([0x83, 0x86, 0x44, 6]),
  Buffer.from('/blobs'),
  Buffer.from([0x41, 9]),
  Buffer.from('localhost'),
]);

/** RFC 9113 section 4.1. */
function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Uploads that the store has begun to read, and that it has answered. */
let bodiesBegun = 0;
let bodiesEnded = 0;

describe.each([0, 100])('an upload that breaks off stores nothing, with a store that pauses for %d ms', (pause) => {
  it.each(departures)('$name', async ({ leave }) => {
    bodiesBegun = 0;
    bodiesEnded = 0;
    let outcome: unknown;
    const write = store.write.bind(store);
    store.write = async (source, options) => {
      const watched = async function* () {
        for await (const piece of source as AsyncIterable<Uint8Array>) {
          if (bodiesBegun === 0) {
            bodiesBegun = 1;
            // Meanwhile bytes wait, and the end, wrong as it is, comes after them.
            await new Promise((resolve) => setTimeout(resolve, pause));
          }
          yield piece;
        }
      };
      try {
        outcome = 'stored';
        return await write(watched(), options);
      } catch (error) {
        outcome = error;
        throw error;
      } finally {
        bodiesEnded++;
      }
    };
    await leave();
    await expect.poll(() => bodiesEnded).toBe(1);
    expect(outcome).toMatchObject({ code: 'canceled' });
    expect(await store.usage()).toEqual({ blobs: 0, bytes: 0 });
  });
});

it('an upload that Node ends only to reset it is not stored', async () => {
  let outcome: unknown;
  const write = store.write.bind(store);
  store.write = async (source, options) => {
    const slow = async function* () {
      for await (const piece of source as AsyncIterable<Uint8Array>) {
        stream.close(constants.NGHTTP2_CANCEL);
        await new Promise((resolve) => setTimeout(resolve, 100));
        yield piece;
      }
    };
    return write(slow(), options).catch((error: unknown) => {
      outcome = error;
      throw error;
    });
  };
  const session = http2Connect(served.url);
  const stream = session.request({ ':method': 'POST', ':path': '/blobs' });
  stream.on('error', () => {});
  stream.write(blob.subarray(0, 1000));
  await expect.poll(() => outcome).toMatchObject({ code: 'canceled' });
  session.destroy();
});

function send(write: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => write(() => resolve()));
}
