// tus-js-client as it comes, and requests made by hand where it never makes them.

import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { Upload } from 'tus-js-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileServer } from '../../../support/file-server.js';
import { seededRandom } from '../../../support/random.js';

let server: FileServer;
beforeAll(async () => {
  server = await FileServer.start();
});
afterAll(() => server.close());

const path = '/api/v1/tus';
const content = Buffer.from(seededRandom(5).bytes(5_000_000));
const tus = { 'tus-resumable': '1.0.0' };
const bytesType = 'application/offset+octet-stream';

const base64 = (text: string) => Buffer.from(text).toString('base64');

async function begin(length: number, name = 'x'): Promise<string> {
  const headers = { ...tus, 'upload-length': String(length), 'upload-metadata': `filename ${base64(name)}` };
  const { status, headers: answered } = await server.ask('POST', path, { headers });
  expect(status).toBe(201);
  return answered.location!;
}

const patch = (upload: string, offset: number, body: Uint8Array) =>
  server.ask('PATCH', upload, {
    headers: { ...tus, 'upload-offset': String(offset), 'content-type': bytesType },
    body,
  });

const offsetOf = async (upload: string) =>
  (await server.ask('HEAD', upload, { headers: tus })).headers['upload-offset'];

/** The newest file of that name. */
async function contentOf(name: string): Promise<Buffer | undefined> {
  const { data } = await server.call('GET', `/api/v1/files?prefix=${encodeURIComponent(name)}`);
  const id = data?.files?.[0]?.file_id;
  return id === undefined ? undefined : (await server.ask('GET', `/api/v1/files/${id}`)).body;
}

describe('tus-js-client', () => {
  it.each([
    { name: 'in one go', chunkSize: Number.POSITIVE_INFINITY, uploadDataDuringCreation: false },
    { name: 'in parts', chunkSize: 700_000, uploadDataDuringCreation: false },
    { name: 'with the creation', chunkSize: 2_000_000, uploadDataDuringCreation: true },
  ])('uploads $name', async ({ name, chunkSize, uploadDataDuringCreation }) => {
    const metadata = { filename: `${name} 文.bin`, filetype: 'image/png' };
    const fileId = await new Promise<string | undefined>((resolve, reject) => {
      new Upload(content, {
        endpoint: server.url + path,
        chunkSize,
        uploadDataDuringCreation,
        metadata,
        onError: reject,
        onSuccess: ({ lastResponse }) => resolve(lastResponse.getHeader('X-File-Id')),
      }).start();
    });
    const { data } = await server.call('GET', `/api/v1/files/${fileId}/info`);
    expect(data).toMatchObject({ file_name: metadata.filename, content_type: 'image/png', file_size: content.length });
    expect(Buffer.compare((await contentOf(metadata.filename))!, content)).toBe(0);
  });

  it('uploads an empty file', async () => {
    await new Promise<void>((resolve, reject) => {
      const upload = new Upload(Readable.from([]) as never, {
        endpoint: server.url + path,
        uploadSize: 0,
        chunkSize: 10,
        metadata: { filename: 'nothing' },
        onError: reject,
        onSuccess: () => resolve(),
      });
      upload.start();
    });
    expect((await contentOf('nothing'))?.length).toBe(0);
  });

  it('goes on after it was aborted, and ends what it gives up', async () => {
    const options = { endpoint: server.url + path, chunkSize: 1_000_000, metadata: { filename: 'resumed' } };
    const url = await new Promise<string>((resolve, reject) => {
      const upload = new Upload(content, {
        ...options,
        onError: reject,
        onChunkComplete: async (_size, accepted) => {
          if (accepted < 2_000_000) return;
          await upload.abort();
          resolve(upload.url!);
        },
      });
      upload.start();
    });
    expect(await contentOf('resumed')).toBeUndefined();
    let firstOffset: number | undefined;
    await new Promise<void>((resolve, reject) => {
      new Upload(content, {
        ...options,
        uploadUrl: url,
        onError: reject,
        onProgress: (sent) => {
          firstOffset ??= sent;
        },
        onSuccess: () => resolve(),
      }).start();
    });
    expect(firstOffset).toBeGreaterThanOrEqual(2_000_000);
    expect(Buffer.compare((await contentOf('resumed'))!, content)).toBe(0);

    const given = server.url + (await begin(100));
    await Upload.terminate(given);
    expect((await server.ask('HEAD', new URL(given).pathname, { headers: tus })).status).toBe(404);
  });
});

describe('tus', () => {
  it('tells what it can', async () => {
    const { status, headers } = await server.ask('OPTIONS', path);
    expect([status, headers['tus-version'], headers['tus-max-size']]).toEqual([204, '1.0.0', String(2 ** 40)]);
    expect(headers['tus-extension']?.split(',').sort()).toEqual([
      'creation',
      'creation-with-upload',
      'expiration',
      'termination',
    ]);
    // Who is not let in is not told that he would be.
    const origin = { origin: 'http://evil.example' };
    expect(Object.keys((await server.ask('HEAD', path, { headers: origin })).headers).join()).not.toContain(
      'access-control',
    );
  });

  it('may be spoken by pages of origins that are let in', async () => {
    const other = await FileServer.start({ corsOrigins: ['https://app.example'] });
    try {
      const origin = 'https://app.example';
      const asked = {
        origin,
        'access-control-request-method': 'PATCH',
        'access-control-request-headers': 'upload-offset',
      };
      const { status, headers } = await other.ask('OPTIONS', `${path}/u_0`, { headers: asked });
      expect([status, headers['access-control-allow-origin']]).toEqual([204, origin]);
      expect(headers['access-control-allow-methods']).toContain('PATCH');
      for (const name of ['Tus-Resumable', 'Upload-Length', 'Upload-Metadata', 'Upload-Offset']) {
        expect(headers['access-control-allow-headers']).toContain(name);
      }
      const created = await other.ask('POST', path, { headers: { ...tus, origin, 'upload-length': '5' } });
      expect([created.status, created.headers['access-control-allow-origin']]).toEqual([201, origin]);
      expect(created.headers['access-control-expose-headers']).toMatch(/Location.*Upload-Offset.*X-File-Id/s);
    } finally {
      await other.close();
    }
  });

  it('is another way into the same sessions', async () => {
    const upload = await begin(1000, 'shared');
    expect(upload).toMatch(/^\/api\/v1\/tus\/u_[0-9a-f]{32}$/);
    const session = upload.replace('/tus/', '/uploads/');
    expect((await server.call('PUT', `${session}?offset=0`, { body: content.subarray(0, 300) })).data).toMatchObject({
      uploaded_size: 300,
    });
    const { status, headers } = await server.ask('HEAD', upload, { headers: tus });
    expect([status, headers['upload-offset'], headers['upload-length'], headers['cache-control']]).toEqual([
      200,
      '300',
      '1000',
      'no-store',
    ]);
    const part = await patch(upload, 300, content.subarray(300, 900));
    expect([part.status, part.headers['upload-offset']]).toEqual([204, '900']);
    expect(Date.parse(part.headers['upload-expires']!)).toBeGreaterThan(Date.now());
    await server.restart();
    expect(await offsetOf(upload)).toBe('900');
    expect((await patch(upload, 900, content.subarray(900, 1000))).headers['x-file-id']).toMatch(/^f_/);
    expect(Buffer.compare((await contentOf('shared'))!, content.subarray(0, 1000))).toBe(0);
    // Done, and asked about again.
    expect(await offsetOf(upload)).toBe('1000');
    expect((await patch(upload, 1000, Buffer.alloc(0))).status).toBe(204);
  });

  it('completes what nobody completed', async () => {
    const upload = await begin(500, 'orphan');
    await server.call('PUT', `${upload.replace('/tus/', '/uploads/')}?offset=0`, { body: content.subarray(0, 500) });
    expect(await contentOf('orphan')).toBeUndefined();
    expect(await offsetOf(upload)).toBe('500');
    expect((await contentOf('orphan'))?.length).toBe(500);
  });

  it('keeps what came before a part broke off', async () => {
    const upload = await begin(content.length, 'broken');
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      `PATCH ${upload} HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n` +
        `Content-Type: ${bytesType}\r\nContent-Length: ${content.length}\r\n\r\n`,
    );
    await new Promise((resolve) => socket.write(content.subarray(0, 3_000_000), resolve));
    socket.end();
    await expect.poll(async () => Number(await offsetOf(upload)), { timeout: 10_000 }).toBeGreaterThan(0);
    const offset = Number(await offsetOf(upload));
    expect((await patch(upload, offset, content.subarray(offset))).status).toBe(204);
    expect(Buffer.compare((await contentOf('broken'))!, content)).toBe(0);
  });

  const create = { ...tus, 'upload-length': '10' };
  it.each([
    { name: 'no version', method: 'POST', headers: { 'upload-length': '10' }, status: 412 },
    { name: 'another version', method: 'POST', headers: { ...create, 'tus-resumable': '0.2.0' }, status: 400 },
    { name: 'no length', method: 'POST', headers: tus, status: 400 },
    { name: 'a length that is none', method: 'POST', headers: { ...tus, 'upload-length': '-1' }, status: 400 },
    {
      name: 'a length nobody has',
      method: 'POST',
      headers: { ...tus, 'upload-length': '2000000000000' },
      status: 413,
    },
    { name: 'metadata that is none', method: 'POST', headers: { ...create, 'upload-metadata': 'a b c' }, status: 400 },
    { name: 'a length that comes later', method: 'POST', headers: { ...tus, 'upload-defer-length': '1' }, status: 501 },
    { name: 'parts of one upload', method: 'POST', headers: { ...create, 'upload-concat': 'partial' }, status: 501 },
  ])('refuses $name', async ({ method, headers, status }) => {
    const answer = await server.ask(method, path, { headers });
    expect(answer.status, answer.body.toString()).toBe(status);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ code: 1001, error: 'INVALID_PARAMETER' });
    expect(answer.headers['content-type']).toBe('application/json');
  });

  it.each([
    { name: 'another offset', offset: '5', bytes: 5, status: 409, code: 4002 },
    { name: 'more than there is', offset: '0', bytes: 11, status: 413, code: 1001 },
    { name: 'no offset', offset: '', bytes: 5, status: 400, code: 1001 },
  ])('takes no part with $name', async ({ offset, bytes, status, code }) => {
    const upload = await begin(10);
    const headers = { ...tus, 'upload-offset': offset, 'content-type': bytesType };
    const answer = await server.ask('PATCH', upload, { headers, body: Buffer.alloc(bytes) });
    expect(answer.status, answer.body.toString()).toBe(status);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ code });
    expect(await offsetOf(upload)).toBe('0');
  });

  it.each(['u_0', `u_${'0'.repeat(32)}`, '%ff'])('knows no upload %s', async (id) => {
    for (const method of ['HEAD', 'PATCH', 'DELETE']) {
      const headers = { ...tus, 'upload-offset': '0', 'content-type': bytesType };
      const answer = await server.ask(method, `${path}/${id}`, { headers });
      expect(answer.status, method).toBe(404);
      if (method !== 'HEAD') expect(JSON.parse(answer.body.toString()).code).toBeOneOf([1001, 1002]);
    }
  });

  it('is refused in maintenance', async () => {
    const upload = await begin(10);
    await server.call('POST', '/api/v1/nodes/node-1/maintenance');
    expect(JSON.parse((await patch(upload, 0, Buffer.alloc(10))).body.toString())).toMatchObject({ code: 2001 });
    expect((await server.ask('POST', path, { headers: create })).status).toBe(503);
    await server.call('DELETE', '/api/v1/nodes/node-1/maintenance');
    expect((await patch(upload, 0, Buffer.alloc(10))).status).toBe(204);
  });
});
