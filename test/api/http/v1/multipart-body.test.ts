import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiRoute, apiRoute } from '../../../../src/api/http/v1/api-route.js';
import { readFileParts, readOnlyFilePart } from '../../../../src/api/http/v1/multipart-body.js';
import { limits } from '../../../../src/base/limits.js';
import { type ServedRoutes, serveRoutes } from '../../../support/api-routes.js';
import { ask } from '../../../support/http-client.js';
import { seededRandom, testSeed } from '../../../support/random.js';

/** Most bytes of one part that were taken so far while a slow reader slept. */
let taken = 0;
/** Called with every piece. */
let onPiece: () => Promise<void> | void = () => {};

const routes: readonly ApiRoute[] = [
  apiRoute({
    method: 'POST',
    path: '/api/all',
    need: 'read',
    summary: 'names and contents of all files',
    async handle({ exchange }) {
      const files: [string, string, string][] = [];
      for await (const { field, fileName, body } of readFileParts(exchange, 3)) {
        const pieces: Uint8Array[] = [];
        for await (const piece of body) pieces.push(piece);
        files.push([field, fileName, Buffer.concat(pieces).toString('latin1')]);
      }
      return files;
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/names',
    need: 'read',
    summary: 'names of all files, contents passed over',
    async handle({ exchange }) {
      const names: string[] = [];
      for await (const { fileName } of readFileParts(exchange, 3)) names.push(fileName);
      return names;
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/one',
    need: 'read',
    summary: 'length of the only file',
    async handle({ exchange }) {
      const { body } = await readOnlyFilePart(exchange, 'file');
      let length = 0;
      for await (const piece of body) {
        length += piece.length;
        taken = length;
        await onPiece();
      }
      return length;
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/none',
    need: 'read',
    summary: 'reads nothing of the file',
    async handle({ exchange }) {
      const { fileName } = await readOnlyFilePart(exchange, 'file');
      return fileName;
    },
  }),
];

let served: ServedRoutes;
beforeAll(async () => {
  served = await serveRoutes(routes);
});
afterAll(() => served.close());

const headers = { 'content-type': 'multipart/form-data; boundary=b' };

function part(disposition: string, content: string, more = ''): string {
  return `--b\r\nContent-Disposition: form-data; ${disposition}\r\n${more}\r\n${content}\r\n`;
}

const file = (name: string, content: string) => part(`name="file"; filename="${name}"`, content);

async function post(path: string, body: string | Uint8Array, extra: Record<string, string> = {}) {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const answer = await ask('h1', `${served.url}${path}`, {
    method: 'POST',
    headers: { ...headers, ...extra },
    body: bytes,
  });
  const { code, data, message } = JSON.parse(answer.body.toString());
  return { status: answer.status, code, data, message };
}

describe('files of a form', () => {
  it.each([
    { name: 'one', body: `${file('a', 'hello')}--b--`, want: [['file', 'a', 'hello']] },
    { name: 'none', body: '--b--\r\n', want: [] },
    { name: 'an empty one', body: `${file('a', '')}--b--`, want: [['file', 'a', '']] },
    {
      name: 'several, in order',
      body: `${file('a', '1')}${part('name="other"; filename="x"', '2')}${file('c', '3')}--b--\r\n`,
      want: [
        ['file', 'a', '1'],
        ['other', 'x', '2'],
        ['file', 'c', '3'],
      ],
    },
    { name: 'fields beside them', body: `${part('name="x"', 'y')}${file('a', '1')}--b--`, want: [['file', 'a', '1']] },
    { name: 'names with paths', body: `${file('../a/b', '1')}--b--`, want: [['file', '../a/b', '1']] },
    { name: 'names in UTF-8', body: `${file('文件 é.txt', '1')}--b--`, want: [['file', '文件 é.txt', '1']] },
    { name: 'text around them', body: `hello\r\n${file('a', '1')}--b--\r\ngood bye`, want: [['file', 'a', '1']] },
    {
      name: 'what looks like a boundary',
      body: `${file('a', 'x--b\r\n-b\r\n--')}--b--`,
      want: [['file', 'a', 'x--b\r\n-b\r\n--']],
    },
    { name: 'a part without disposition', body: `--b\r\n\r\nx\r\n${file('a', '1')}--b--`, want: [['file', 'a', '1']] },
  ])('$name', async ({ body, want }) => {
    const { status, data, message } = await post('/api/all', body);
    expect(status, message).toBe(200);
    expect(data).toEqual(want);
  });

  it('may come compressed', async () => {
    const body = gzipSync(`${file('a', 'x'.repeat(100_000))}--b--`);
    expect(await post('/api/one', body, { 'content-encoding': 'gzip' })).toMatchObject({ status: 200, data: 100_000 });
  });

  it('are the bytes that were sent, however they are cut', async () => {
    const random = seededRandom(testSeed('multipart'));
    for (let round = 0; round < 20; round++) {
      const content = Buffer.from(random.bytes(random.below(200_000)));
      const body = Buffer.concat([Buffer.from(file('a', '|').split('|')[0]!), content, Buffer.from('\r\n--b--\r\n')]);
      const { data } = await post('/api/all', body);
      expect(data).toEqual([['file', 'a', content.toString('latin1')]]);
    }
  });

  it('may be passed over', async () => {
    const body = `${file('a', 'x'.repeat(300_000))}${file('b', 'y'.repeat(300_000))}--b--`;
    expect(await post('/api/names', body)).toMatchObject({ status: 200, data: ['a', 'b'] });
    expect(await post('/api/none', body.replace('"b"', '"c"'))).toMatchObject({ status: 200, data: 'a' });
  });

  it('are not read ahead of a slow reader', async () => {
    const size = 20 * 1024 * 1024;
    let pieces = 0;
    let released = () => {};
    const release = new Promise<void>((resolve) => {
      released = resolve;
    });
    onPiece = () => (++pieces === 1 ? release : undefined);
    const socket = connect(served.port, '127.0.0.1');
    const head = Buffer.from(file('a', '|').split('|')[0]!);
    const tail = Buffer.from('\r\n--b--\r\n');
    socket.write(
      `POST /api/one HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${headers['content-type']}\r\n` +
        `Content-Length: ${head.length + size + tail.length}\r\nConnection: close\r\n\r\n`,
    );
    socket.write(head);
    socket.write(Buffer.alloc(size));
    socket.write(tail);
    let heard = '';
    socket.on('data', (data) => {
      heard += String(data);
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    // What the reader did not take stays with the sender, the buffers of the system aside.
    let left = -1;
    while (pieces === 0 || left !== socket.writableLength) {
      left = socket.writableLength;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(taken).toBeLessThan(1024 * 1024);
    expect(left).toBeGreaterThan(size / 4);
    released();
    await closed;
    expect(heard).toContain(`"data":${size}`);
    onPiece = () => {};
  });
});

describe('bodies that are not as they should be', () => {
  const whole = `${file('a', 'hello')}--b--`;
  it.each([
    { name: 'cut off in a file', body: file('a', 'hello').slice(0, -4), status: 400 },
    { name: 'cut off in a header', body: '--b\r\nContent-Disposition: form-', status: 400 },
    { name: 'cut off behind a file', body: file('a', 'hello'), status: 400 },
    { name: 'cut off before the first', body: '--', status: 400 },
    { name: 'empty', body: '', status: 400 },
    { name: 'another boundary', body: whole.replaceAll('--b', '--c'), status: 400 },
    { name: 'no form', body: '{"a": 1}', status: 400 },
    { name: 'a field without a file name', body: `${part('name="file"', 'hello')}--b--`, status: 400 },
    { name: 'another field', body: whole.replace('"file"', '"data"'), status: 400 },
    { name: 'two files', body: `${file('a', '1')}${whole}`, status: 413 },
    {
      name: 'many fields',
      body: `${part('name="x"', 'y').repeat(limits.formFieldsCountMax + 1)}${whole}`,
      status: 413,
    },
    { name: 'many headers', body: part('name="file"; filename="a"', '', 'X: y\r\n'.repeat(10_000)), status: 400 },
    { name: 'an endless header', body: `--b\r\nX: ${'y'.repeat(1_000_000)}\r\n\r\n1\r\n--b--`, status: 400 },
  ])('$name', async ({ body, status }) => {
    expect(await post('/api/one', body)).toMatchObject({ status, code: 1001 });
    expect(await post('/api/one', whole)).toMatchObject({ status: 200, data: 5 });
  });

  it.each([
    { name: 'JSON', type: 'application/json' },
    { name: 'a form without files', type: 'application/x-www-form-urlencoded' },
    { name: 'no boundary', type: 'multipart/form-data' },
    { name: 'an empty boundary', type: 'multipart/form-data; boundary=' },
    { name: 'another kind', type: 'multipart/mixed; boundary=b' },
    { name: 'a similar kind', type: 'multipart/form-data2; boundary=b' },
  ])('of the wrong type: $name', async ({ type }) => {
    expect(await post('/api/one', whole, { 'content-type': type })).toMatchObject({ status: 400, code: 1001 });
  });

  it('grow beyond measure when decompressed', async () => {
    const body = gzipSync(`${file('a', '\0'.repeat(80 * 1024 * 1024))}--b--`);
    expect(await post('/api/one', body, { 'content-encoding': 'gzip' })).toMatchObject({ status: 413, code: 1001 });
  });

  it.each([
    { name: 'are no gzip', body: Buffer.from(whole), encoding: 'gzip' },
    { name: 'are cut off gzip', body: gzipSync(whole).subarray(0, 30), encoding: 'gzip' },
    { name: 'have an encoding nobody knows', body: Buffer.from(whole), encoding: 'br' },
  ])('$name', async ({ body, encoding }) => {
    expect(await post('/api/one', body, { 'content-encoding': encoding })).toMatchObject({ status: 400, code: 1001 });
  });
});
