import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileServer, type JsonObject } from '../../../support/file-server.js';
import { seededRandom } from '../../../support/random.js';

let server: FileServer;
beforeAll(async () => {
  server = await FileServer.start();
});
afterAll(() => server.close());

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
const content = Buffer.from(seededRandom(6).bytes(3_000_000));

async function begin(json: object): Promise<string> {
  const { data } = await server.call('POST', '/api/v1/uploads', { json });
  return `/api/v1/uploads/${data?.upload_id}`;
}

const put = (path: string, offset: number, body: Uint8Array, headers: Record<string, string> = {}) =>
  server.call('PUT', `${path}?offset=${offset}`, { body, headers });

describe('an upload session', () => {
  it('takes parts of any length, over restarts, and becomes a file', async () => {
    const json = { file_name: 'big.bin', file_size: content.length, chunk_size: 1_500_000 };
    const path = await begin(json);
    expect((await server.call('GET', path)).data).toEqual({
      upload_id: path.slice('/api/v1/uploads/'.length),
      file_name: 'big.bin',
      file_size: content.length,
      uploaded_size: 0,
      chunk_size: 1_500_000,
      created_at: time,
      expires_at: time,
    });
    expect((await put(path, 0, content.subarray(0, 1_500_000))).data).toMatchObject({ uploaded_size: 1_500_000 });
    expect((await put(path, 1_500_000, content.subarray(1_500_000, 1_500_007))).data).toMatchObject({
      uploaded_size: 1_500_007,
    });
    await server.restart();
    const listed = (await server.call('GET', '/api/v1/uploads')).data;
    expect(listed).toMatchObject({
      total: 1,
      page: 1,
      page_size: 20,
      uploads: [{ file_name: 'big.bin', uploaded_size: 1_500_007 }],
    });
    expect(await server.call('POST', `${path}/complete`)).toMatchObject({ status: 400, code: 1001 });
    expect((await put(path, 1_500_007, content.subarray(1_500_007))).data).toMatchObject({
      uploaded_size: content.length,
    });

    const { data } = await server.call('POST', `${path}/complete`);
    expect(data).toMatchObject({ file_name: 'big.bin', file_size: content.length, version: 1 });
    const { body } = await server.ask('GET', `/api/v1/files/${data?.file_id}`);
    expect(Buffer.compare(body, content)).toBe(0);
    // It is over; who did not hear so asks again.
    expect((await server.call('POST', `${path}/complete`)).data).toEqual(data);
    expect(await server.call('GET', path)).toMatchObject({ status: 404, code: 1002, error: 'FILE_NOT_FOUND' });
    expect((await server.call('GET', '/api/v1/uploads')).data?.total).toBe(0);
  });

  it('may be of an empty file', async () => {
    const path = await begin({ file_name: 'empty', file_size: 0 });
    expect((await server.call('POST', `${path}/complete`)).data).toMatchObject({ file_size: 0, chunks: [] });
  });

  it('takes compressed parts', async () => {
    const path = await begin({ file_name: 'gz', file_size: 100_000, chunk_size: 100_000 });
    const part = await put(path, 0, gzipSync(Buffer.alloc(100_000)), { 'content-encoding': 'gzip' });
    expect(part.data).toMatchObject({ uploaded_size: 100_000 });
    expect((await server.call('POST', `${path}/complete`)).data).toMatchObject({ file_size: 100_000 });
  });

  it('goes on where it is, and nowhere else', async () => {
    const path = await begin({ file_name: 'o', file_size: 100 });
    await put(path, 0, Buffer.alloc(60));
    for (const offset of [0, 59, 61]) {
      expect(await put(path, offset, Buffer.alloc(20))).toMatchObject({ status: 409 });
    }
    expect((await server.call('GET', path)).data).toMatchObject({ uploaded_size: 60 });
  });

  it('takes no more than was agreed, and says so before it reads', async () => {
    const path = await begin({ file_name: 'm', file_size: 100, chunk_size: 50 });
    for (const bytes of [51, 101]) {
      const headers = { expect: '100-continue', 'content-length': String(bytes) };
      const { status, continued } = await server.ask('PUT', `${path}?offset=0`, { headers, body: Buffer.alloc(bytes) });
      expect([status, continued]).toEqual([400, false]);
    }
    await put(path, 0, Buffer.alloc(50));
    await put(path, 50, Buffer.alloc(40));
    expect(await put(path, 90, Buffer.alloc(11))).toMatchObject({ status: 400, code: 1001 });
    const chunked = await put(path, 90, gzipSync(Buffer.alloc(1000)), { 'content-encoding': 'gzip' });
    expect(chunked).toMatchObject({ status: 400, code: 1001 });
  });

  it('keeps what came before a part broke off', async () => {
    const path = await begin({ file_name: 'broken', file_size: content.length });
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`PUT ${path}?offset=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${content.length}\r\n\r\n`);
    await new Promise((resolve) => socket.write(content.subarray(0, 2_000_000), resolve));
    socket.end();
    await expect
      .poll(async () => (await server.call('GET', path)).data?.uploaded_size, { timeout: 12_000 })
      .toBeGreaterThan(0);
    const offset = Number((await server.call('GET', path)).data?.uploaded_size);
    await put(path, offset, content.subarray(offset));
    const { data } = await server.call('POST', `${path}/complete`);
    const { body } = await server.ask('GET', `/api/v1/files/${data?.file_id}`);
    expect(Buffer.compare(body, content)).toBe(0);
  });

  it('sent by two at once is stored once', async () => {
    const path = await begin({ file_name: 'both', file_size: content.length });
    const answers = await Promise.all([put(path, 0, content), put(path, 0, content)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect((await server.call('GET', path)).data).toMatchObject({ uploaded_size: content.length });
  });

  it('may be given up', async () => {
    const path = await begin({ file_name: 'a', file_size: 10 });
    expect(await server.call('DELETE', path)).toMatchObject({ status: 200, code: 0 });
    for (const [method, each] of [
      ['GET', path],
      ['DELETE', path],
      ['POST', `${path}/complete`],
      ['PUT', `${path}?offset=0`],
    ] as const) {
      expect(await server.call(method, each)).toMatchObject({ status: 404, code: 1002, details: { timestamp: time } });
    }
  });

  it.each([
    { json: {}, parameter: 'file_name' },
    { json: { file_name: 'x' }, parameter: 'file_size' },
    { json: { file_name: 'x', file_size: -1 }, parameter: 'file_size' },
    { json: { file_name: 'x', file_size: 1.5 }, parameter: 'file_size' },
    { json: { file_name: 'x', file_size: '1' }, parameter: 'file_size' },
    { json: { file_name: 'x', file_size: 2 ** 60 }, parameter: 'file_size' },
    { json: { file_name: '', file_size: 1 }, parameter: 'file_name' },
    { json: { file_name: 'x', file_size: 1, chunk_size: 0 }, parameter: 'chunk_size' },
    { json: { file_name: 'x', file_size: 1, if_exists: 'maybe' }, parameter: 'if_exists' },
  ])('is refused for $json', async ({ json, parameter }) => {
    const refused = await server.call('POST', '/api/v1/uploads', { json });
    expect(refused).toMatchObject({ status: 400, code: 1001, details: { parameter } });
  });

  it('may be refused for its name', async () => {
    const path = await begin({ file_name: 'taken', file_size: 0 });
    await server.call('POST', `${path}/complete`);
    const again = await server.call('POST', '/api/v1/uploads', {
      json: { file_name: 'taken', file_size: 0, if_exists: 'fail' },
    });
    expect(again).toMatchObject({ status: 409, code: 1003 });
  });

  it.each(['', '?offset=', '?offset=-1', '?offset=x'])('has no part %s', async (query) => {
    const path = await begin({ file_name: 'q', file_size: 10 });
    expect(await server.call('PUT', path + query, { body: Buffer.alloc(1) })).toMatchObject({
      status: 400,
      code: 1001,
    });
  });

  it('is refused in maintenance, and goes on afterwards', async () => {
    const path = await begin({ file_name: 'm', file_size: 10 });
    await server.call('POST', '/api/v1/nodes/node-1/maintenance');
    const json = { file_name: 'n', file_size: 10 };
    expect(await server.call('POST', '/api/v1/uploads', { json })).toMatchObject({ status: 503, code: 2001 });
    expect(await put(path, 0, Buffer.alloc(10))).toMatchObject({ status: 503, code: 2001 });
    await server.call('DELETE', '/api/v1/nodes/node-1/maintenance');
    expect(await put(path, 0, Buffer.alloc(10))).toMatchObject({ status: 200 });
  });

  it('is one of a list that is paged', async () => {
    for (let i = 0; i < 3; i++) await begin({ file_name: `p-${i}`, file_size: 1 });
    const total = Number((await server.call('GET', '/api/v1/uploads')).data?.total);
    const names = [];
    for (let page = 1; page <= total; page++) {
      const { data } = await server.call('GET', `/api/v1/uploads?page=${page}&page_size=1`);
      names.push((data as unknown as { uploads: JsonObject[] }).uploads[0]?.upload_id);
    }
    expect(new Set(names).size).toBe(total);
    expect(await server.call('GET', '/api/v1/uploads?page_size=0')).toMatchObject({ status: 400, code: 1001 });
  });
});
