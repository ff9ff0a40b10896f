// The file API under requests that nobody means: forms, JSON, paths, queries, headers and lengths, damaged or made up. No
// answer is a fault of the server's, each has the form that errors have, and the next ordinary question is answered.

import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { FileServer } from '../support/file-server.js';
import { formHeaders, formOf } from '../support/multipart.js';
import { itFuzz, mutateBytes, mutateText } from './fuzzing.js';

let server: FileServer;
let fileId: string;
let uploadId: string;
const content = Buffer.from('what is here, stays here');

beforeAll(async () => {
  server = await FileServer.start();
  const body = formOf({ name: 'kept', content });
  fileId = String((await server.call('POST', '/api/v1/files', { headers: formHeaders, body })).data?.file_id);
  const json = { file_name: 'open', file_size: 1000 };
  uploadId = String((await server.call('POST', '/api/v1/uploads', { json })).data?.upload_id);
});

afterAll(() => server.close());

async function expectAlive(): Promise<void> {
  const { status, body } = await server.ask('GET', `/api/v1/files/${fileId}?version=1`);
  expect([status, body.toString()]).toEqual([200, content.toString()]);
}

/** What an answer may be: a success, or an error that says what was wrong with the request. */
async function expectSense(method: string, path: string, asked: Parameters<FileServer['ask']>[2]): Promise<number> {
  const { status, headers, body } = await server.ask(method, path, asked);
  const label = `${method} ${path}: ${status} ${body.toString('latin1', 0, 300)}`;
  expect(status, label).toBeLessThan(500);
  if (status >= 400 && method !== 'HEAD' && headers['content-type'] !== undefined) {
    const { code, details } = JSON.parse(body.toString()) as { code: number; details: { timestamp: string } };
    expect([1001, 1002, 1003, 1004, 1005, 3001, 4002], label).toContain(code);
    expect(details.timestamp, label).toMatch(/Z$/);
  }
  return status;
}

/** Raw bytes on a connection of their own; whatever comes back is thrown away. */
function send(pieces: readonly Uint8Array[], patienceMilliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(server.port, '127.0.0.1');
    const done = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve();
    };
    const timer = setTimeout(done, patienceMilliseconds);
    socket.on('error', done);
    socket.on('close', done);
    socket.resume();
    for (const piece of pieces) socket.write(piece);
  });
}

const form = formOf({ name: 'a', content: 'one' }, { name: 'b.txt', content: 'x'.repeat(3000), field: 'other' });

describe('bodies', () => {
  itFuzz('damaged forms', { rounds: 300 }, async (random) => {
    const path = random.pick(['/api/v1/files', '/api/v1/files/batch', '/api/v1/files?if_exists=fail']);
    const damaged = mutateBytes(random, random.chance(0.5) ? form : formOf({ name: 'c', content: 'three' }));
    const packed = random.chance(0.2);
    const headers = { ...formHeaders, ...(packed && { 'content-encoding': 'gzip' }) };
    const body = packed ? mutateBytes(random, gzipSync(damaged)) : damaged;
    await expectSense('POST', path, { headers, body });
  });

  itFuzz('boundaries', { rounds: 200 }, async (random) => {
    const samples = [formHeaders['content-type'], 'multipart/form-data; boundary="a b"', 'application/json'];
    const type = mutateText(random, samples, '-; ="\\abc,').replace(/[^\x20-\x7e]/g, '');
    await expectSense('POST', '/api/v1/files', { headers: { 'content-type': type }, body: form });
  });

  itFuzz('JSON', { rounds: 500 }, async (random) => {
    const [path, sample] = random.pick([
      ['/api/v1/recovery/start', { chunk_ids: ['c_abc123', `c_${'0'.repeat(64)}`], priority: 'high' }],
      ['/api/v1/rebalance/start', { strategy: 'balance_by_capacity', max_migration_rate: 104_857_600 }],
      ['/api/v1/files/batch/download', { file_ids: [fileId, 'f_0'] }],
      ['/api/v1/uploads', { file_name: 'u', file_size: 5, chunk_size: 7, if_exists: 'version' }],
    ] as const);
    const text = mutateText(random, [JSON.stringify(sample)], '{}[]":,0123456789.-eaf_ntrue\\u');
    const headers = { 'content-type': 'application/json' };
    const body = random.chance(0.3) ? mutateBytes(random, Buffer.from(text)) : Buffer.from(text);
    await expectSense('POST', path, { headers, body });
  });

  itFuzz('cut off, or of another length than they say', { rounds: 40 }, async (random) => {
    const volley = Array.from({ length: 8 }, () => {
      const lie = random.pick([0, -3, 3, 1000, 2 ** 40, 2 ** 53]);
      const [line, type] = random.pick([
        ['POST /api/v1/files', formHeaders['content-type']],
        ['POST /api/v1/files/batch', formHeaders['content-type']],
        [`PUT /api/v1/uploads/${uploadId}?offset=0`, 'application/octet-stream'],
        ['POST /api/v1/uploads', 'application/json'],
      ] as const);
      const head = `${line} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${type}\r\nContent-Length: ${form.length + lie}\r\n\r\n`;
      const cut = random.below(form.length + 1);
      return send([Buffer.from(head), form.subarray(0, random.chance(0.5) ? cut : form.length)], 60);
    });
    await Promise.all(volley);
    await expectAlive();
  });
});

describe('requests', () => {
  const paths = () => [
    '/api/v1/files',
    '/api/v1/files?page=2&page_size=5&prefix=a',
    `/api/v1/files/${fileId}`,
    `/api/v1/files/${fileId}/info?version=1`,
    `/api/v1/files/${fileId}/chunks?page=1`,
    `/api/v1/files/${fileId}/versions/1/restore`,
    `/api/v1/uploads/${uploadId}?offset=0`,
    `/api/v1/uploads/${uploadId}/complete`,
    '/api/v1/nodes?type=datanode&status=online',
    '/api/v1/nodes/node-2/maintenance',
    '/api/v1/recovery/t_0',
    '/api/v1/tus',
    `/api/v1/tus/${uploadId}`,
  ];

  itFuzz('paths and queries', { rounds: 800 }, async (random) => {
    const text = mutateText(random, paths(), '/%.?&=:0aé_\\ ');
    const path = Buffer.from(text)
      .toString('latin1')
      .replace(/[^\x21-\x7e]/g, encodeURIComponent)
      .replaceAll('#', '');
    const method = random.pick(['GET', 'GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'PATCH']);
    // A client takes `/api/..` for what it means before it asks.
    const leaves = /(\.|%2e){2}/i.test(path);
    if (
      !path.startsWith('/api/') ||
      leaves ||
      path.includes('node-1') ||
      (method === 'DELETE' && path.includes(fileId))
    )
      return;
    const body = method === 'PUT' || method === 'POST' || method === 'PATCH' ? Buffer.from('{}') : undefined;
    await expectSense(method, path, {
      body,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
    });
  });

  itFuzz('headers of downloads', { rounds: 300 }, async (random) => {
    const samples = ['bytes=0-9', '"blake3:ab"', '*', 'gzip', 'W/"x"', '100-continue'];
    const names = ['range', 'if-range', 'if-match', 'if-none-match', 'accept-encoding', 'content-encoding'];
    const headers = Object.fromEntries(
      Array.from({ length: random.between(1, 4) }, () => {
        const value = mutateText(random, samples, '0123456789-,="* bytes').replace(/[^\x20-\x7e]/g, '');
        return [random.pick(names), value];
      }),
    );
    expect([200, 206, 304, 400, 412, 416]).toContain(
      await expectSense('GET', `/api/v1/files/${fileId}?version=1`, { headers }),
    );
  });

  itFuzz('tus', { rounds: 400 }, async (random) => {
    const number = () => mutateText(random, ['0', '5', '1000', '-1'], '0123456789.e+-').replace(/[^\x20-\x7e]/g, '');
    const some = (name: string, value: string): Record<string, string> => (random.chance(0.8) ? { [name]: value } : {});
    const headers = {
      ...some('tus-resumable', random.pick(['1.0.0', '1.0.0', '0.2.2', ''])),
      ...some('upload-length', number()),
      ...some('upload-offset', number()),
      ...some(
        'upload-metadata',
        mutateText(random, ['filename eA==', 'a b,c d'], 'ab =,').replace(/[^\x20-\x7e]/g, ''),
      ),
      ...some('content-type', 'application/offset+octet-stream'),
    };
    const method = random.pick(['POST', 'PATCH', 'HEAD', 'OPTIONS', 'DELETE', 'GET']);
    const path = random.pick(['/api/v1/tus', '/api/v1/tus/', `/api/v1/tus/${uploadId}`, '/api/v1/tus/u_0']);
    const body = method === 'POST' || method === 'PATCH' ? random.bytes(random.below(20)) : undefined;
    if (method !== 'DELETE') await expectSense(method, path, { headers, body });
  });

  itFuzz('floods of headers', { rounds: 10 }, async (random) => {
    const lines = Array.from(
      { length: random.between(100, 5000) },
      (_, i) => `X-${i}: ${'y'.repeat(random.below(100))}\r\n`,
    );
    await send([Buffer.from(`GET /api/v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\n${lines.join('')}\r\n`)], 60);
    await expectAlive();
  });
});
