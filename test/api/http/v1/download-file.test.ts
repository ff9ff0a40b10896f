// Downloads whose client leaves, or takes nothing, over a store that counts what is open.

import { connect as http2Connect } from 'node:http2';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ask } from '../../../support/http-client.js';
import { formHeaders, formOf } from '../../../support/multipart.js';
import { seededRandom } from '../../../support/random.js';
import { type Served, serve, WatchedStore } from '../../../support/served.js';

const content = seededRandom(7).bytes(12 << 20);

let store: WatchedStore;
let served: Served;
let path: string;
let bytesRead: number;

beforeEach(async () => {
  store = new WatchedStore();
  served = await serve(store);
  const body = formOf({ name: 'large', content });
  const answer = await ask('h1', `${served.url}/api/v1/files`, { method: 'POST', headers: formHeaders, body });
  const { data } = JSON.parse(answer.body.toString()) as { data: { file_id: string } };
  path = `/api/v1/files/${data.file_id}`;
  bytesRead = 0;
  store.onRead = ({ start, end }) => {
    bytesRead += end - start;
  };
});
afterEach(async () => {
  await served.server.close();
  expect([store.openHandles, store.misuses]).toEqual([0, 0]);
});

const batch = () => JSON.stringify({ file_ids: [path.split('/').at(-1), 'f_none', path.split('/').at(-1)] });

/** Begins one of the downloads and reads its first bytes. The answer leaves. */
async function begin(version: 'h1' | 'h2', kind: 'file' | 'batch' | 'gzip'): Promise<() => void> {
  const method = kind === 'batch' ? 'POST' : 'GET';
  const target = kind === 'batch' ? '/api/v1/files/batch/download' : path;
  const headers = {
    'content-type': 'application/json',
    ...(kind === 'gzip' && { 'accept-encoding': 'gzip, identity;q=0' }),
  };
  const body = kind === 'batch' ? batch() : '';
  if (version === 'h2') {
    const session = http2Connect(served.url);
    const stream = session.request({ ':method': method, ':path': target, ...headers });
    if (method === 'POST') stream.end(body);
    stream.on('error', () => {});
    await new Promise((resolve) => stream.once('readable', resolve));
    return () => session.destroy();
  }
  const socket = connect(served.port, '127.0.0.1');
  socket.on('error', () => {});
  const lines = Object.entries({ host: 'localhost', ...headers, 'content-length': String(body.length) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.write(`${method} ${target} HTTP/1.1\r\n${head}\r\n${body}`);
  await new Promise((resolve) => socket.once('readable', resolve));
  return () => socket.destroy();
}

describe.each(['h1', 'h2'] as const)('over %s', (version) => {
  it.each(['file', 'batch', 'gzip'] as const)('a client that takes nothing makes us read little: %s', async (kind) => {
    const leave = await begin(version, kind);
    let before = -1;
    while (before !== bytesRead) {
      before = bytesRead;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    // What lies between it and the store: buffers of two sockets and a window.
    expect(bytesRead).toBeLessThan(10 << 20);
    leave();
    await expect.poll(() => store.openHandles).toBe(0);
  });

  it.each(['file', 'batch', 'gzip'] as const)('a client that leaves leaves nothing open: %s', async (kind) => {
    for (let i = 0; i < 5; i++) (await begin(version, kind))();
    await expect.poll(() => store.openHandles).toBe(0);
    const answer = await ask(version, served.url + path);
    expect(Buffer.compare(answer.body, content)).toBe(0);
  });

  it('an upload and a download go through', async () => {
    const body = formOf({ name: `again over ${version}`, content: content.subarray(0, 3_000_000) });
    const uploaded = await ask(version, `${served.url}/api/v1/files`, { method: 'POST', headers: formHeaders, body });
    const { data } = JSON.parse(uploaded.body.toString()) as { data: { file_id: string } };
    const { body: downloaded } = await ask(version, `${served.url}/api/v1/files/${data.file_id}`);
    expect(Buffer.compare(downloaded, content.subarray(0, 3_000_000))).toBe(0);
  });
});
