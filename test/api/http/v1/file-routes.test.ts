import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashHex } from '../../../../src/base/digest.js';
import { digestBlob } from '../../../../src/blake3/hasher.js';
import { FileServer, type JsonObject } from '../../../support/file-server.js';
import { type FormFile, formHeaders, formOf } from '../../../support/multipart.js';
import { seededRandom } from '../../../support/random.js';

let server: FileServer;
beforeAll(async () => {
  server = await FileServer.start();
});
afterAll(() => server.close());

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

const upload = (file: FormFile, query = '') =>
  server.call('POST', `/api/v1/files${query}`, { headers: formHeaders, body: formOf(file) });

/** Uploads and answers with the id. */
async function stored(name: string, content: string | Uint8Array): Promise<string> {
  return String((await upload({ name, content })).data?.file_id);
}

describe('an upload', () => {
  it('is answered with the file and its chunks', async () => {
    const { status, code, message, data } = await upload({ name: 'test.txt', content: 'Hello LumeoFS' });
    expect([status, code, message]).toEqual([200, 0, 'success']);
    const content = Buffer.from('Hello LumeoFS');
    const hex = hashHex(digestBlob(content).hash);
    expect(data).toEqual({
      file_id: expect.stringMatching(/^f_[0-9a-f]{12,}$/),
      file_name: 'test.txt',
      file_size: 13,
      version: 1,
      chunks: [
        {
          chunk_id: `c_${hex}`,
          size: 13,
          checksum: `sha256:${createHash('sha256').update(content).digest('hex')}`,
          digest: `blake3:${hex}`,
        },
      ],
      chunk_count: 1,
      created_at: time,
      modified_at: time,
    });
  });

  it('of the same name is a new version, or is refused', async () => {
    const first = await upload({ name: 'twice', content: 'one' });
    const second = await upload({ name: 'twice', content: 'two' }, '?if_exists=version');
    expect(second.data).toMatchObject({ file_id: first.data?.file_id, version: 2 });
    expect(await upload({ name: 'twice', content: 'three' }, '?if_exists=fail')).toMatchObject({
      status: 409,
      code: 1003,
      error: 'FILE_ALREADY_EXISTS',
    });
    expect((await upload({ name: 'once', content: 'one' }, '?if_exists=fail')).status).toBe(200);
  });

  it.each(['../../etc/passwd', 'a/b', '/', '..', 'C:\\x', '文件.txt', 'line\\nfeed', ' ', 'é'.repeat(100)])(
    'may be called %j, which is a name and no path',
    async (name) => {
      expect((await upload({ name, content: 'x' })).data?.file_name).toBe(name);
    },
  );

  it.each([
    { name: 'no name', file: { name: '', content: 'x' } },
    { name: 'a name that is too long', file: { name: 'x'.repeat(5000), content: 'x' } },
    { name: 'another field', file: { name: 'a', content: 'x', field: 'data' } },
  ])('is refused: $name', async ({ file }) => {
    expect(await upload(file)).toMatchObject({ status: 400, code: 1001, error: 'INVALID_PARAMETER' });
  });

  it.each(['?if_exists=maybe', '?if_exists='])('is refused: %s', async (query) => {
    const refused = await upload({ name: 'a', content: 'x' }, query);
    expect(refused).toMatchObject({ status: 400, code: 1001, details: { parameter: 'if_exists' } });
  });

  it('that is cut off leaves nothing', async () => {
    const body = formOf({ name: 'cut', content: 'x'.repeat(100_000) });
    for (const length of [body.length - 8, body.length - 1000, 120]) {
      const answer = await server.call('POST', '/api/v1/files', {
        headers: formHeaders,
        body: body.subarray(0, length),
      });
      expect(answer).toMatchObject({ status: 400, code: 1001 });
    }
    expect((await server.call('GET', '/api/v1/files?prefix=cut')).data?.total).toBe(0);
  });

  it('has pages of chunks', async () => {
    const content = seededRandom(9).bytes(3_000_000);
    const { data } = await upload({ name: 'chunks', content });
    const chunks = data?.chunks as unknown as JsonObject[];
    expect(data?.chunk_count).toBe(chunks.length);
    expect(chunks.reduce((sum, { size }) => sum + Number(size), 0)).toBe(content.length);
    const path = `/api/v1/files/${data?.file_id}/chunks`;
    expect((await server.call('GET', path)).data).toEqual({
      total: chunks.length,
      page: 1,
      page_size: 1000,
      chunks,
    });
    const second = await server.call('GET', `${path}?page=2&page_size=1&version=1`);
    expect(second.data).toMatchObject({ page: 2, page_size: 1, chunks: [chunks[1]] });
    expect((await server.call('GET', `${path}?page_size=5000`)).data?.page_size).toBe(1000);
    expect(await server.call('GET', `${path}?version=2`)).toMatchObject({ status: 404, code: 1002 });
  });

  it('lists a thousand chunks, and counts all', async () => {
    const other = await FileServer.start({ chunking: { kind: 'fixed', chunkBytes: 100 } });
    try {
      const body = formOf({ name: 'many', content: seededRandom(3).bytes(120_050) });
      const { data } = await other.call('POST', '/api/v1/files', { headers: formHeaders, body });
      expect([data?.chunk_count, (data as unknown as { chunks: unknown[] }).chunks.length]).toEqual([1201, 1000]);
      const rest = await other.call('GET', `/api/v1/files/${data?.file_id}/chunks?page=2`);
      expect(rest.data).toMatchObject({ total: 1201, page: 2, page_size: 1000 });
      expect(rest.data?.chunks?.[200]).toMatchObject({ size: 50 });
      const batch = formOf(...['a', 'b'].map((name) => ({ name, content: seededRandom(4).bytes(80_000) })));
      const both = await other.call('POST', '/api/v1/files/batch', { headers: formHeaders, body: batch });
      const lengths = (both.data as unknown as { results: { data: { chunks: unknown[] } }[] }).results.map(
        (each) => each.data.chunks.length,
      );
      expect(lengths).toEqual([800, 200]);
    } finally {
      await other.close();
    }
  });

  it('is refused in maintenance, before it is read', async () => {
    await server.call('POST', '/api/v1/nodes/node-1/maintenance');
    const expect100 = { ...formHeaders, expect: '100-continue' };
    const refused = await server.ask('POST', '/api/v1/files', { headers: expect100, body: formOf() });
    expect([refused.status, refused.continued, JSON.parse(refused.body.toString()).code]).toEqual([503, false, 2001]);
    expect(JSON.parse(refused.body.toString()).error).toBe('NO_AVAILABLE_NODE');
    await server.call('DELETE', '/api/v1/nodes/node-1/maintenance');
    const accepted = await server.ask('POST', '/api/v1/files', {
      headers: expect100,
      body: formOf({ name: 'a', content: 'b' }),
    });
    expect([accepted.status, accepted.continued]).toEqual([200, true]);
  });
});

describe('a download', () => {
  const content = Buffer.from(seededRandom(4).bytes(2_500_000));
  let path: string;
  let headers: Readonly<Record<string, string>>;
  beforeAll(async () => {
    path = `/api/v1/files/${await stored('some "file".bin', content)}`;
    headers = (await server.ask('GET', path)).headers;
  });

  it.each(['h1', 'h2'] as const)('has the whole, over %s', async (version) => {
    const answer = await server.ask('GET', path, { version });
    expect(answer.status).toBe(200);
    expect(Buffer.compare(answer.body, content)).toBe(0);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(content.length),
      'content-disposition': 'attachment; filename="some \\"file\\".bin"',
      'accept-ranges': 'bytes',
      etag: expect.stringMatching(/^"blake3:[0-9a-f]{64}"$/),
    });
  });

  it.each(['h1', 'h2'] as const)('of HEAD has the same head, over %s', async (version) => {
    const answer = await server.ask('HEAD', path, { version });
    expect([answer.status, answer.body.length]).toEqual([200, 0]);
    expect(answer.headers).toMatchObject({ etag: headers.etag, 'content-length': String(content.length) });
  });

  it.each([
    { range: 'bytes=0-0', want: [0, 1] },
    { range: 'bytes=600000-1500000', want: [600_000, 1_500_001] },
    { range: 'bytes=2499990-', want: [2_499_990, 2_500_000] },
    { range: 'bytes=-5', want: [2_499_995, 2_500_000] },
    { range: 'bytes=100-99999999', want: [100, 2_500_000] },
  ])('may be a part: $range', async ({ range, want: [start, end] }) => {
    const answer = await server.ask('GET', path, { headers: { range } });
    expect(answer.status).toBe(206);
    expect(answer.headers['content-range']).toBe(`bytes ${start}-${end! - 1}/${content.length}`);
    expect(Buffer.compare(answer.body, content.subarray(start, end))).toBe(0);
  });

  it('may be several parts', async () => {
    const {
      status,
      headers: head,
      body,
    } = await server.ask('GET', path, { headers: { range: 'bytes=0-9,1000000-1000009' } });
    expect([status, head['content-type']]).toEqual([206, expect.stringContaining('multipart/byteranges')]);
    expect(body.includes(content.subarray(0, 10)) && body.includes(content.subarray(1_000_000, 1_000_010))).toBe(true);
  });

  it('has no parts outside', async () => {
    const answer = await server.ask('GET', path, { headers: { range: 'bytes=2500000-' } });
    expect([answer.status, answer.headers['content-range']]).toEqual([416, 'bytes */2500000']);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ code: 1001, error: 'INVALID_PARAMETER' });
  });

  it('is compressed for those who prefer that', async () => {
    const get = (coding: string, more = {}) =>
      server.ask('GET', path, { headers: { 'accept-encoding': coding, ...more } });
    const packed = await get('gzip, identity;q=0.5');
    expect(packed.headers).toMatchObject({
      'content-encoding': 'gzip',
      'content-type': 'application/octet-stream',
      etag: `W/${headers.etag}`,
      vary: 'accept-encoding, origin',
    });
    expect(packed.headers['content-length']).toBeUndefined();
    expect(Buffer.compare(gunzipSync(packed.body), content)).toBe(0);
    for (const coding of [
      'gzip',
      'gzip, deflate, br',
      'gzip;q=0, identity;q=0',
      'gzip;q=0.5, identity',
      '*',
      '',
      ';q=,;',
    ]) {
      expect((await get(coding)).headers['content-encoding'], coding).toBeUndefined();
    }
    const part = await get('gzip, identity;q=0', { range: 'bytes=0-9' });
    expect([part.status, part.headers['content-encoding'], part.body.length]).toEqual([206, undefined, 10]);
    const tagged = { 'if-none-match': packed.headers.etag };
    expect((await get('gzip, identity;q=0', tagged)).status).toBe(304);
  });

  it('may have conditions', async () => {
    const { etag } = headers as { etag: string };
    const status = async (conditions: Record<string, string>) =>
      (await server.ask('GET', path, { headers: conditions })).status;
    expect(await status({ 'if-none-match': etag })).toBe(304);
    expect(await status({ 'if-none-match': '"other"' })).toBe(200);
    expect(await status({ 'if-match': etag })).toBe(200);
    expect(await status({ 'if-match': '"other"' })).toBe(412);
    expect(await status({ range: 'bytes=0-1', 'if-range': etag })).toBe(206);
    expect(await status({ range: 'bytes=0-1', 'if-range': '"other"' })).toBe(200);
  });

  it.each([
    { name: 'a.txt', want: 'attachment; filename="a.txt"' },
    { name: 'dir/a.txt', want: 'attachment; filename="a.txt"' },
    { name: '文.txt', want: `attachment; filename="_.txt"; filename*=UTF-8''%E6%96%87.txt` },
    { name: 'é', want: `attachment; filename="_"; filename*=UTF-8''%C3%A9` },
    { name: '100%25.txt', want: `attachment; filename="100%25.txt"; filename*=UTF-8''100%2525.txt` },
    { name: '😀', want: `attachment; filename="_"; filename*=UTF-8''%F0%9F%98%80` },
  ])('is called $name', async ({ name, want }) => {
    const { headers: head } = await server.ask('HEAD', `/api/v1/files/${await stored(name, 'x')}`);
    expect(head['content-disposition']).toBe(want);
  });

  it('may be empty', async () => {
    const empty = `/api/v1/files/${await stored('empty', '')}`;
    const answer = await server.ask('GET', empty, { headers: { range: 'bytes=0-' } });
    expect([answer.status, answer.headers['content-length'], answer.body.length]).toEqual([200, '0', 0]);
    expect((await server.call('GET', `${empty}/info`)).data).toMatchObject({ file_size: 0, chunk_count: 0 });
  });

  it('with damage is an error, or breaks off', async () => {
    const { data } = await server.call('GET', `${path}/chunks`);
    const chunks = data?.chunks as unknown as JsonObject[];
    const last = String(chunks.at(-1)?.chunk_id).slice(2);
    expect((await server.ask('DELETE', `/blobs/${last}`)).status).toBe(204);
    const part = await server.ask('GET', path, { headers: { range: 'bytes=-5' } });
    expect([part.status, JSON.parse(part.body.toString()).code]).toEqual([500, 4003]);
    await expect(server.ask('GET', path)).rejects.toThrow();
  });
});

describe('what is known of a file', () => {
  it('is its info', async () => {
    const id = await stored('info.txt', 'Hello LumeoFS');
    expect((await server.call('GET', `/api/v1/files/${id}/info`)).data).toEqual({
      file_id: id,
      file_name: 'info.txt',
      file_size: 13,
      chunk_count: 1,
      replica_count: 1,
      version: 1,
      content_type: 'application/octet-stream',
      created_at: time,
      modified_at: time,
    });
  });

  it.each([
    { method: 'GET', path: '' },
    { method: 'HEAD', path: '' },
    { method: 'GET', path: '?version=1' },
    { method: 'GET', path: '/info' },
    { method: 'GET', path: '/chunks' },
    { method: 'GET', path: '/versions' },
    { method: 'POST', path: '/versions/1/restore' },
    { method: 'DELETE', path: '' },
  ])('is an error where there is none: $method …$path', async ({ method, path }) => {
    for (const id of ['f_0123456789abcdef', 'x', '%00', 'f_'.padEnd(3000, '0')]) {
      const answer = await server.ask(method, `/api/v1/files/${id}${path}`);
      expect(answer.status).toBe(404);
      if (method === 'HEAD') continue;
      const details = { file_id: decodeURIComponent(id), timestamp: time };
      expect(JSON.parse(answer.body.toString())).toMatchObject({
        code: 1002,
        message: 'file not found',
        error: 'FILE_NOT_FOUND',
        details,
      });
    }
  });

  it('ends with the file', async () => {
    const path = `/api/v1/files/${await stored('gone', 'x')}`;
    const deleted = await server.ask('DELETE', path);
    expect([deleted.status, JSON.parse(deleted.body.toString())]).toEqual([200, { code: 0, message: 'success' }]);
    expect(await server.call('DELETE', path)).toMatchObject({ status: 404, code: 1002 });
    expect((await server.ask('GET', path)).status).toBe(404);
  });
});

describe('versions', () => {
  it('are listed, read and restored', async () => {
    const path = `/api/v1/files/${await stored('v', 'one')}`;
    await stored('v', 'two!');
    const text = async (query: string) => (await server.ask('GET', path + query)).body.toString();
    expect([await text(''), await text('?version=1'), await text('?version=2')]).toEqual(['two!', 'one', 'two!']);
    const { data } = await server.call('GET', `${path}/versions`);
    expect(data).toMatchObject({
      total: 2,
      page: 1,
      page_size: 20,
      versions: [
        { version: 2, file_size: 4 },
        { version: 1, file_size: 3 },
      ],
    });
    const etags = await Promise.all(
      ['?version=1', '?version=2', ''].map(async (query) => (await server.ask('HEAD', path + query)).headers.etag),
    );
    expect(etags[1]).toBe(etags[2]);
    expect(etags[0]).not.toBe(etags[1]);

    expect((await server.call('POST', `${path}/versions/1/restore`)).data).toMatchObject({ version: 3, file_size: 3 });
    expect([await text(''), await text('?version=2')]).toEqual(['one', 'two!']);
    expect((await server.ask('HEAD', path)).headers.etag).toBe(etags[0]);
    expect((await server.call('GET', `${path}/info?version=2`)).data).toMatchObject({ version: 2, file_size: 4 });
    const page = await server.call('GET', `${path}/versions?page=2&page_size=2`);
    expect(page.data).toMatchObject({ total: 3, versions: [{ version: 1 }] });
  });

  it.each(['4', '0', '-1', 'x', '99999999999999999999'])('have no number %s', async (number) => {
    const path = `/api/v1/files/${await stored('n', 'x')}`;
    const wanted = number === '4' ? { status: 404, code: 1002 } : { status: 400, code: 1001 };
    expect(await server.call('POST', `${path}/versions/${number}/restore`)).toMatchObject(wanted);
    expect(await server.call('GET', `${path}/info?version=${number}`)).toMatchObject(wanted);
  });
});

describe('the list', () => {
  it('is sorted, paged and cut to a prefix', async () => {
    for (const name of ['l-3', 'l-1', 'l-2', 'L-1', 'm-1']) await stored(name, name);
    const names = async (query: string) => {
      const { data = {} as JsonObject } = await server.call('GET', `/api/v1/files?${query}`);
      return [
        (data.files as unknown as JsonObject[]).map((file) => file.file_name),
        data.total,
        data.page,
        data.page_size,
      ];
    };
    expect(await names('prefix=l-')).toEqual([['l-1', 'l-2', 'l-3'], 3, 1, 20]);
    expect(await names('prefix=l-&page_size=2')).toEqual([['l-1', 'l-2'], 3, 1, 2]);
    expect(await names('prefix=l-&page_size=2&page=2')).toEqual([['l-3'], 3, 2, 2]);
    expect(await names('prefix=l-&page=9')).toEqual([[], 3, 9, 20]);
    expect(await names('prefix=l-&page_size=1000')).toEqual([['l-1', 'l-2', 'l-3'], 3, 1, 100]);
    expect(await names('prefix=none')).toEqual([[], 0, 1, 20]);
    const all = await server.call('GET', '/api/v1/files');
    const status = await server.call('GET', '/api/v1/cluster/status');
    expect(all.data?.total).toBe(status.data?.file_count);
  });

  it.each(['page=0', 'page_size=0', 'page=x', 'page=9007199254740991&page_size=100'])('refuses %s', async (query) => {
    expect(await server.call('GET', `/api/v1/files?${query}`)).toMatchObject({ status: 400, code: 1001 });
  });
});
