import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileServer, type JsonObject } from '../../../support/file-server.js';
import { formHeaders, formOf, partsOf } from '../../../support/multipart.js';
import { seededRandom } from '../../../support/random.js';

let server: FileServer;
beforeAll(async () => {
  server = await FileServer.start();
});
afterAll(() => server.close());

const upload = (body: Uint8Array, query = '') =>
  server.call('POST', `/api/v1/files/batch${query}`, { headers: formHeaders, body });

const large = Buffer.from(seededRandom(8).bytes(3_000_000));

describe('a batch upload', () => {
  it('has a result for each file', async () => {
    const { status, data } = await upload(
      formOf(
        { name: 'a', content: 'one' },
        { name: '', content: large },
        { name: 'b', content: large },
        { name: 'c', content: 'x', field: 'other' },
        { name: 'a', content: '' },
      ),
    );
    expect(status).toBe(200);
    expect(data).toMatchObject({
      total: 5,
      succeeded: 3,
      failed: 2,
      results: [
        { file_name: 'a', code: 0, message: 'success', data: { file_name: 'a', file_size: 3, version: 1 } },
        { file_name: '', code: 1001, error: 'INVALID_PARAMETER' },
        { file_name: 'b', code: 0, data: { file_size: large.length } },
        { file_name: 'c', code: 1001, details: { parameter: 'file' } },
        { file_name: 'a', code: 0, data: { file_size: 0, version: 2 } },
      ],
    });
  });

  it('may refuse names that exist', async () => {
    const body = formOf({ name: 'a', content: 'x' }, { name: 'new', content: 'x' });
    const results = (await upload(body, '?if_exists=fail')).data?.results;
    expect(results).toMatchObject([{ code: 1003, error: 'FILE_ALREADY_EXISTS' }, { code: 0 }]);
  });

  it('without files, or cut off, is refused', async () => {
    const body = formOf({ name: 'cut-1', content: 'x' }, { name: 'cut-2', content: large });
    for (const each of [formOf(), body.subarray(0, -100)]) {
      expect(await upload(each)).toMatchObject({ status: 400, code: 1001 });
    }
    expect((await server.call('GET', '/api/v1/files?prefix=cut-2')).data?.total).toBe(0);
  });
});

describe('a batch download', () => {
  const download = (fileIds: unknown) =>
    server.ask('POST', '/api/v1/files/batch/download', { json: { file_ids: fileIds } });

  it('has a part for each file, or its error', async () => {
    const body = formOf({ name: 'x "y" 文', content: large }, { name: 'e', content: '' });
    const results = (await upload(body)).data?.results as unknown as { data: JsonObject }[];
    const [first, empty] = results.map(({ data }) => String(data.file_id)) as [string, string];
    const answer = await download([first, 'f_none', 'a\r\nb\ud800', empty, first]);
    expect([answer.status, answer.headers['content-type']]).toEqual([
      200,
      expect.stringMatching(/^multipart\/mixed; boundary=/),
    ]);
    const parts = partsOf(answer);
    expect(parts.map(({ headers }) => [headers['x-file-id'], headers['x-code']])).toEqual([
      [first, '0'],
      ['f_none', '1002'],
      ['a%0D%0Ab%EF%BF%BD', '1002'],
      [empty, '0'],
      [first, '0'],
    ]);
    expect(parts.map(({ body }) => Buffer.compare(body, large) === 0)).toEqual([true, false, false, false, true]);
    expect(parts[0]!.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(large.length),
      'content-disposition': `attachment; filename="x \\"y\\" _"; filename*=UTF-8''x%20%22y%22%20%E6%96%87`,
    });
    expect(JSON.parse(parts[1]!.body.toString())).toMatchObject({ code: 1002, details: { file_id: 'f_none' } });
    expect(parts[3]!.body.length).toBe(0);
  });

  it('tells of damage', async () => {
    const results = (await upload(formOf({ name: 'd', content: 'damaged' }))).data?.results;
    const { file_id: id, chunks } = (results as unknown as { data: JsonObject }[])[0]!.data;
    await server.ask('DELETE', `/blobs/${String(chunks?.[0]?.chunk_id).slice(2)}`);
    const [part] = partsOf(await download([id]));
    expect(JSON.parse(part!.body.toString())).toMatchObject({ code: 4003, error: 'STORAGE_ERROR' });
  });

  it.each([[undefined], [[]], ['f_x'], [[1]], [new Array(1001).fill('f_x')]])('is refused for %j', async (fileIds) => {
    const answer = await download(fileIds);
    expect([answer.status, JSON.parse(answer.body.toString()).code]).toEqual([400, 1001]);
  });
});
