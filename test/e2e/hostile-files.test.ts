// What docs/HTTP.md says about clients that mean no good, or know no better: each gets its documented answer, nothing of it is
// stored, and the server goes on serving. Bytes go over raw sockets, so that nothing puts them right on the way.

import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CairnServerProcess, startCairnServer } from '../support/cairn-process.js';
import { ask } from '../support/http-client.js';
import { formHeaders, formOf } from '../support/multipart.js';

let directory: string;
let server: CairnServerProcess;
let kept: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-hostile-'));
  server = await startCairnServer(['--data', join(directory, 'data')]);
  const body = formOf({ name: 'kept', content: 'kept' });
  const { data } = await json('POST', '/api/v1/files', body, formHeaders);
  kept = `/api/v1/files/${data.file_id}`;
});
afterAll(async () => {
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function json(method: string, path: string, body?: Uint8Array, headers: Record<string, string> = {}) {
  const answer = await ask('h1', server.url + path, { method, headers, body });
  return { status: answer.status, ...JSON.parse(answer.body.toString()) };
}

/** Sends a request's head and bytes, ends its own side if told so, and answers with what comes back. */
function send(
  lines: readonly string[],
  body: Uint8Array,
  end: 'half' | 'open',
): Promise<{ status: number; text: string }> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    let heard = '';
    const done = () => {
      socket.destroy();
      resolve({ status: Number(heard.split(' ')[1] ?? 0), text: heard.split('\r\n\r\n').slice(1).join('\r\n\r\n') });
    };
    socket.on('error', done);
    socket.on('close', done);
    socket.on('data', (piece) => {
      heard += piece.toString('latin1');
      // An error in JSON, or a head that says there is nothing more.
      if (/\}\s*$/.test(heard) || /content-length: 0|connection: close/i.test(heard)) setImmediate(done);
    });
    socket.write(`${[...lines, 'Host: 127.0.0.1'].join('\r\n')}\r\n\r\n`);
    socket.write(body);
    if (end === 'half') socket.end();
  });
}

const form = formOf({ name: 'hostile', content: 'x'.repeat(10_000) });
const typed = `Content-Type: ${formHeaders['content-type']}`;
const jsonType = 'Content-Type: application/json';
const post = 'POST /api/v1/files HTTP/1.1';
const length = (bytes: number) => `Content-Length: ${bytes}`;

describe('each gets its answer, and the server serves on', () => {
  it.each([
    {
      name: 'a form cut off in its file',
      lines: [post, typed, length(form.length - 100)],
      body: form.subarray(0, -100),
      want: { status: 400, code: 1001 },
    },
    {
      name: 'a form without its end',
      lines: [post, typed, length(form.length - 9)],
      body: form.subarray(0, -9),
      want: { status: 400, code: 1001 },
    },
    {
      name: 'a length that is too small, and what is left of the body behind it',
      lines: [post, typed, length(form.length - 5000)],
      body: form,
      want: { status: 400 },
    },
    {
      name: 'a length that is no number',
      lines: [post, typed, 'Content-Length: 1e9'],
      body: form,
      want: { status: 400 },
    },
    {
      name: 'two lengths',
      lines: [post, typed, length(form.length), length(5)],
      body: form,
      want: { status: 400 },
    },
    {
      name: 'a length and chunks',
      lines: [post, typed, length(form.length), 'Transfer-Encoding: chunked'],
      body: form,
      want: { status: 400 },
    },
    {
      name: 'a body larger than any',
      lines: ['PUT /api/v1/uploads/u_0?offset=0 HTTP/1.1', length(2 ** 50)],
      body: form,
      want: { status: 404, code: 1002 },
    },
    {
      name: 'JSON that is too long',
      lines: ['POST /api/v1/uploads HTTP/1.1', jsonType, length(2_000_000)],
      body: Buffer.alloc(2_000_000, ' '),
      want: { status: 413, code: 1001 },
    },
    {
      name: 'JSON that is too deep',
      lines: ['POST /api/v1/uploads HTTP/1.1', jsonType, length(1_000_000)],
      body: Buffer.alloc(1_000_000, '['),
      want: { status: 400, code: 1001 },
    },
    {
      name: 'a bomb',
      lines: ['POST /api/v1/uploads HTTP/1.1', jsonType, 'Content-Encoding: gzip'],
      body: gzipSync(Buffer.alloc(200_000_000)),
      want: { status: 413, code: 1001 },
    },
    {
      name: 'a bomb in a form',
      lines: [post, typed, 'Content-Encoding: gzip'],
      body: gzipSync(Buffer.concat([form.subarray(0, 300), Buffer.alloc(200_000_000)])),
      want: { status: 413, code: 1001 },
    },
    {
      name: 'a flood of headers',
      lines: ['GET /api/v1/files HTTP/1.1', ...Array.from({ length: 1000 }, (_, i) => `X-${i}: ${'y'.repeat(20)}`)],
      body: Buffer.alloc(0),
      want: { status: 431 },
    },
    {
      name: 'a header that does not end',
      lines: ['GET /api/v1/files HTTP/1.1', `X: ${'y'.repeat(20_000)}`],
      body: Buffer.alloc(0),
      want: { status: 431 },
    },
    { name: 'no HTTP', lines: ['HELLO'], body: form, want: { status: 400 } },
    {
      name: 'a flood of headers in a part',
      lines: [post, typed],
      body: Buffer.from(form.toString().replace('Content-Disp', `${'X: y\r\n'.repeat(50_000)}Content-Disp`)),
      want: { status: 400, code: 1001 },
    },
    {
      name: 'a flood of parts',
      lines: [post, typed],
      body: formOf(...Array.from({ length: 5000 }, (_, i) => ({ name: `${i}`, content: '' }))),
      want: { status: 413, code: 1001 },
    },
  ])('$name', async ({ lines, body, want }) => {
    const isComplete =
      lines.some((line) => /^(content-length|transfer-encoding)/i.test(line)) || lines[0]!.startsWith('GET');
    const answer = await send(isComplete ? lines : [...lines, length(body.length)], body, 'open');
    expect(answer.status).toBe(want.status);
    if (want.code !== undefined) expect(JSON.parse(answer.text)).toMatchObject({ code: want.code });
    expect((await ask('h1', server.url + kept)).body.toString()).toBe('kept');
    expect((await json('GET', '/api/v1/files')).data.total).toBe(1);
  });

  it('a body that ends before its length stores nothing', async () => {
    await send([post, typed, length(form.length + 1000)], form, 'half');
    await send([post, typed, length(form.length)], form.subarray(0, 5000), 'half');
    expect((await json('GET', '/api/v1/files')).data.total).toBe(1);
  });

  it.each(['../../etc/passwd', '..', '/etc/passwd', 'a\u0000b', 'C:\\windows', '%2e%2e/x', 'CON', '.'])(
    'a name like a path is a name: %j',
    async (name) => {
      const body = formOf({ name, content: 'trick' });
      const stored = await json('POST', '/api/v1/files', body, formHeaders);
      if (name.includes('\0')) {
        expect(stored).toMatchObject({ status: 400, code: 1001 });
        return;
      }
      expect(stored.data.file_name).toBe(name);
      const path = `/api/v1/files/${stored.data.file_id}`;
      const { headers, body: content } = await ask('h1', server.url + path);
      expect(content.toString()).toBe('trick');
      expect(headers['content-disposition']).toMatch(/^attachment; filename="[^"/]*"/);
      await json('DELETE', path);
    },
  );
});
