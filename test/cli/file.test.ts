// cairn file as people run it.

import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FileClient } from '../../src/client/files/file-client.js';
import { type CairnServerProcess, runCairn, startCairnServer } from '../support/cairn-process.js';
import { seededRandom } from '../support/random.js';

let directory: string;
let server: CairnServerProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-file-'));
  server = await startCairnServer(['--data', join(directory, 'data')]);
});

afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true });
});

const cairn = (...args: string[]) => runCairn(['file', ...args], { server: server.url });
const path = (name: string) => join(directory, name);

it('puts, lists, gets, tells and removes', { timeout: 60_000 }, async () => {
  await writeFile(path('a.txt'), 'one');
  const put = await cairn('put', path('a.txt'));
  expect(put).toMatchObject({ code: 0, stderr: '' });
  expect(put.stdout).toMatch(/^f_[0-9a-f]+\ta\.txt\n$/);
  await writeFile(path('a.txt'), 'second');
  expect((await cairn('put', path('a.txt'), '--fail-if-exists')).code).not.toBe(0);
  await cairn('put', path('a.txt'));
  expect((await cairn('ls', 'a')).stdout).toMatch(/^f_[0-9a-f]+\t6\ta\.txt\n$/);
  expect((await cairn('get', 'a.txt')).stdout).toBe('second');
  await cairn('get', 'a.txt', '--file-version', '1', '--output', path('b.txt'));
  expect(await readFile(path('b.txt'), 'utf8')).toBe('one');
  expect((await cairn('versions', 'a.txt')).stdout).toMatch(/^2\t6\t\S+\n1\t3\t\S+\n$/);
  expect((await cairn('restore', 'a.txt', '1')).stdout).toBe('3\n');
  expect((await cairn('info', 'a.txt')).stdout).toMatch(/^version\t3$/m);
  expect((await cairn('rm', 'a.txt')).code).toBe(0);
  expect((await cairn('info', 'a.txt')).code).not.toBe(0);
  expect((await cairn('put', directory)).code).not.toBe(0);
});

it('shows names that could be more than names in quotes', { timeout: 60_000 }, async () => {
  const name = 'odd\n\u001b[31mred';
  const files = new FileClient({ addresses: [server.url] });
  await files.upload(name, Buffer.from('x'));
  files.close();
  for (const args of [
    ['ls', 'odd'],
    ['info', name],
    ['put', path('odd'), '--name', name],
  ]) {
    await writeFile(path('odd'), 'x');
    const { code, stdout } = await cairn(...args);
    expect(code).toBe(0);
    expect(stdout).toContain(JSON.stringify(name));
    expect(stdout).not.toContain('\u001b');
  }
});

it('goes on with an upload that was broken off, unless the file has changed since', { timeout: 60_000 }, async () => {
  const content = Buffer.alloc(200_000, 'cairn ');
  const files = new FileClient({ addresses: [server.url] });
  try {
    for (const isChanged of [false, true]) {
      await writeFile(path('big'), content);
      // Times are told to the second.
      await new Promise((resolve) => setTimeout(resolve, 1200));
      const session = await files.createUploadSession('big', content.length);
      await session.uploadChunk(content.subarray(0, 150_000));
      if (isChanged) await writeFile(path('big'), Buffer.alloc(200_000, 'changed'));
      expect(await cairn('put', path('big'))).toMatchObject({ code: 0 });
      const { file_id } = (await files.find('big'))!;
      expect((await files.download(file_id)).equals(await readFile(path('big')))).toBe(true);
      const left = (await files.listUploadSessions()).map(({ uploadId }) => uploadId);
      expect(left.includes(session.uploadId)).toBe(isChanged);
    }
  } finally {
    files.close();
  }
});

it('gets a file over connections that break, whole or not at all', { timeout: 60_000 }, async () => {
  const content = Buffer.from(seededRandom(6).bytes(3_000_000));
  const files = new FileClient({ addresses: [server.url] });
  const { file_id } = await files.upload('large', content);
  files.close();
  const target = new URL(server.url);
  const downloads: (string | undefined)[] = [];
  let leaveAfter = 1_000_000;
  const breaking = createServer((request, response) => {
    const { headers, method, url } = request;
    const isDownload = !url?.includes('/info');
    if (isDownload) downloads.push(headers.range);
    get({ host: target.hostname, port: target.port, path: url, method, headers, agent: false }, async (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      let passed = 0;
      for await (const piece of answer as AsyncIterable<Buffer>) {
        passed += piece.length;
        if (isDownload && passed > leaveAfter) response.destroy();
        if (!response.destroyed) response.write(piece);
      }
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(breaking, 'listening');
  try {
    const through = { server: `http://127.0.0.1:${(breaking.address() as AddressInfo).port}` };
    const got = await runCairn(['file', 'get', file_id, '-o', path('large')], through);
    expect(got).toMatchObject({ code: 0, stdout: '' });
    expect((await readFile(path('large'))).equals(content)).toBe(true);
    expect(downloads.length).toBeGreaterThan(2);
    expect(downloads.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? ''))).toBe(true);
    leaveAfter = 0;
    expect(await runCairn(['file', 'get', file_id, '-o', path('none')], through)).toMatchObject({ code: 4 });
    expect((await readdir(directory)).filter((name) => /^none|part$/.test(name))).toEqual([]);
  } finally {
    breaking.close();
  }
});
