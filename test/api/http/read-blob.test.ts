import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatHash, hashHex } from '../../../src/base/digest.js';
import { digestBlob } from '../../../src/blake3/hasher.js';
import { type Asked, ask, type HttpVersion } from '../../support/http-client.js';
import { seededRandom, testSeed } from '../../support/random.js';
import { type Served, serve, WatchedStore } from '../../support/served.js';

const seed = testSeed('read-blob');
const random = seededRandom(seed);
const size = 200_000;
const blob = random.bytes(size);
const { hash } = digestBlob(blob);
const tag = `"${formatHash(hash)}"`;
const path = `/blobs/${hashHex(hash)}`;
const absent = `/blobs/${'0'.repeat(64)}`;
const empty = '/blobs/af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';

const store = new WatchedStore();
let served: Served;

beforeAll(async () => {
  await store.write(blob);
  served = await serve(store);
});
afterAll(() => served.server.close());

const blobHeaders = {
  etag: tag,
  'cache-control': 'public, max-age=31536000, immutable',
  'accept-ranges': 'bytes',
  'x-content-type-options': 'nosniff',
};
const wholeHeaders = { ...blobHeaders, 'content-type': 'application/octet-stream', 'content-length': `${size}` };

interface Row extends Asked {
  readonly name: string;
  readonly at?: string;
  readonly status: number;
  readonly want?: Readonly<Record<string, string | undefined>>;
  readonly bytes?: Uint8Array;
  readonly code?: string;
}

const part = (from: number, to: number) => ({
  ...blobHeaders,
  'content-type': 'application/octet-stream',
  'content-range': `bytes ${from}-${to - 1}/${size}`,
  'content-length': `${to - from}`,
});
const whole = { status: 200, want: { ...wholeHeaders, 'content-range': undefined }, bytes: blob };
const tenth = { status: 206, want: part(0, 10), bytes: blob.subarray(0, 10) };

const table: Row[] = [
  { name: 'whole', ...whole },
  { name: 'upper case and prefix', at: `/blobs/blake3:${hashHex(hash).toUpperCase()}`, ...whole },
  { name: 'a query changes nothing', at: `${path}?x=1`, ...whole },
  {
    name: 'never compressed',
    headers: { 'accept-encoding': 'gzip, br' },
    ...whole,
    want: { 'content-encoding': undefined },
  },
  { name: 'HEAD', method: 'HEAD', status: 200, want: wholeHeaders, bytes: new Uint8Array(0) },
  {
    name: 'HEAD ignores Range',
    method: 'HEAD',
    headers: { range: 'bytes=0-9' },
    status: 200,
    want: wholeHeaders,
    bytes: new Uint8Array(0),
  },
  { name: 'range', headers: { range: 'bytes=0-9' }, ...tenth },
  {
    name: 'open-ended range',
    headers: { range: `bytes=${size - 5}-` },
    status: 206,
    want: part(size - 5, size),
    bytes: blob.subarray(size - 5),
  },
  {
    name: 'suffix range',
    headers: { range: 'bytes=-7' },
    status: 206,
    want: part(size - 7, size),
    bytes: blob.subarray(size - 7),
  },
  { name: 'touching ranges become one', headers: { range: 'bytes=0-4,5-9' }, ...tenth },
  { name: 'unknown unit', headers: { range: 'lines=1-2' }, ...whole },
  {
    name: 'unsatisfiable range',
    headers: { range: `bytes=${size}-` },
    status: 416,
    want: { 'content-range': `bytes */${size}` },
    code: 'out_of_range',
  },
  {
    name: 'If-None-Match hits',
    headers: { 'if-none-match': tag },
    status: 304,
    want: { ...blobHeaders, 'content-type': undefined },
    bytes: new Uint8Array(0),
  },
  { name: 'If-None-Match hits in a list, weakly', headers: { 'if-none-match': `"x", W/${tag}` }, status: 304 },
  { name: 'If-None-Match *', headers: { 'if-none-match': '*' }, status: 304 },
  { name: 'If-None-Match before Range', headers: { 'if-none-match': tag, range: 'bytes=0-9' }, status: 304 },
  { name: 'If-None-Match on HEAD', method: 'HEAD', headers: { 'if-none-match': tag }, status: 304 },
  { name: 'If-None-Match misses', headers: { 'if-none-match': '"blake3:00"' }, ...whole },
  { name: 'If-Match hits', headers: { 'if-match': `"x", ${tag}` }, ...whole },
  { name: 'If-Match *', headers: { 'if-match': '*' }, ...whole },
  { name: 'If-Match misses', headers: { 'if-match': '"x"' }, status: 412, code: 'failed_precondition' },
  { name: 'If-Match takes no weak tag', headers: { 'if-match': `W/${tag}` }, status: 412, code: 'failed_precondition' },
  { name: 'If-Range hits', headers: { range: 'bytes=0-9', 'if-range': tag }, ...tenth },
  { name: 'If-Range misses', headers: { range: 'bytes=0-9', 'if-range': '"x"' }, ...whole },
  { name: 'If-Range takes no weak tag', headers: { range: 'bytes=0-9', 'if-range': `W/${tag}` }, ...whole },
  {
    name: 'If-Range takes no date',
    headers: { range: 'bytes=0-9', 'if-range': 'Fri, 20 Nov 2020 10:00:00 GMT' },
    ...whole,
  },
  {
    name: 'absent',
    at: absent,
    status: 404,
    code: 'not_found',
    want: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  },
  { name: 'absent, HEAD', method: 'HEAD', at: absent, status: 404, bytes: new Uint8Array(0) },
  { name: 'absent comes before conditions', at: absent, headers: { 'if-none-match': '*' }, status: 404 },
  { name: 'no digest', at: '/blobs/xyz', status: 400, code: 'invalid_argument' },
  { name: 'the empty blob', at: empty, status: 200, want: { 'content-length': '0' }, bytes: new Uint8Array(0) },
  { name: 'Range of the empty blob', at: empty, headers: { range: 'bytes=0-' }, status: 200, bytes: new Uint8Array(0) },
];

describe.each<HttpVersion>(['h1', 'h2'])('reading over %s', (version) => {
  it.each(table)('$name', async ({ at = path, status, want = {}, bytes, code, ...asked }) => {
    const answer = await ask(version, served.url + at, asked);
    expect(answer.status).toBe(status);
    for (const [name, value] of Object.entries(want)) expect([name, answer.headers[name]]).toEqual([name, value]);
    if (bytes !== undefined) expect(answer.body.equals(bytes)).toBe(true);
    if (code !== undefined)
      expect(JSON.parse(answer.body.toString())).toMatchObject({ code, message: expect.any(String) });
    expect(store.openHandles).toBe(0);
  });

  it(`random ranges match slices of the blob (seed ${seed})`, async () => {
    const pick = (end: number) => random.below(end);
    for (let round = 0; round < 40; round++) {
      // Of every size: inside one read, across reads, past the end.
      const specs = Array.from({ length: 1 + pick(4) }, () => {
        const start = pick(size);
        return [`${start}-${start + pick(size)}`, `${start}-`, `-${1 + start}`][pick(3)]!;
      });
      const answer = await ask(version, served.url + path, { headers: { range: `bytes=${specs.join(',')}` } });
      expect(answer.status).toBe(206);
      const covered = new Uint8Array(size);
      for (const { start, bytes } of partsOf(answer)) {
        expect(Buffer.from(bytes).equals(blob.subarray(start, start + bytes.length))).toBe(true);
        for (let i = 0; i < bytes.length; i++) covered[start + i]! += 1;
      }
      // Every byte asked for came, and no byte came twice.
      expect(Buffer.from(covered).equals(oracle(specs))).toBe(true);
    }
  });

  it('answers several ranges in the order asked, each behind its own header', async () => {
    const answer = await ask(version, served.url + path, { headers: { range: 'bytes=100000-199999, 5-9, -1' } });
    expect(answer.headers['content-length']).toBe(`${answer.body.length}`);
    expect(answer.headers['content-type']).toMatch(/^multipart\/byteranges; boundary=\S+$/);
    expect(answer.headers['content-range']).toBeUndefined();
    expect(partsOf(answer).map(({ start, bytes }) => [start, bytes.length])).toEqual([
      [100_000, 100_000],
      [5, 5],
    ]);
  });

  it('answers damage found at the start with an error, and breaks off when it is found later', async () => {
    store.beforeRead = () => Promise.reject(new Error('disk on fire'));
    const early = await ask(version, served.url + path);
    expect([early.status, JSON.parse(early.body.toString())]).toEqual([
      500,
      { code: 'internal', message: 'internal error' },
    ]);
    let reads = 0;
    store.beforeRead = () => (++reads === 2 ? Promise.reject(new Error('disk on fire')) : undefined);
    await expect(ask(version, served.url + path)).rejects.toThrow();
    store.beforeRead = () => {};
    expect(store.openHandles).toBe(0);
  });
});

/** The bytes asked for, marked 1, by brute force. */
function oracle(specs: readonly string[]): Buffer {
  const marked = Buffer.alloc(size);
  for (const spec of specs) {
    const [first, last] = spec.split('-') as [string, string];
    const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
    const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
    marked.fill(1, start, end);
  }
  return marked;
}

function partsOf({ headers, body }: { headers: Readonly<Record<string, string>>; body: Buffer }) {
  const boundary = /boundary=(\S+)/.exec(headers['content-type'] ?? '')?.[1];
  if (boundary === undefined) return [{ start: startOf(headers['content-range'] ?? ''), bytes: body }];
  const parts: { start: number; bytes: Buffer }[] = [];
  let at = 0;
  for (;;) {
    const open = `--${boundary}`;
    expect(body.subarray(at, at + open.length).toString()).toBe(open);
    at += open.length;
    if (body.subarray(at, at + 2).toString() === '--') {
      expect(body.subarray(at).toString()).toBe('--\r\n');
      return parts;
    }
    const headEnd = body.indexOf('\r\n\r\n', at) + 4;
    const head = body.subarray(at, headEnd).toString();
    expect(head).toContain('content-type: application/octet-stream');
    const [, from, to, total] = /content-range: bytes (\d+)-(\d+)\/(\d+)/.exec(head)!;
    expect(Number(total)).toBe(size);
    const length = Number(to) - Number(from) + 1;
    parts.push({ start: Number(from), bytes: body.subarray(headEnd, headEnd + length) });
    at = headEnd + length;
    expect(body.subarray(at, at + 2).toString()).toBe('\r\n');
    at += 2;
  }
}

function startOf(contentRange: string): number {
  return Number(/^bytes (\d+)-/.exec(contentRange)?.[1]);
}
