// cairn file as people run it.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FileClient } from '../../src/client/files/file-client.js';
import { type CairnServerProcess, runCairn, startCairnServer } from '../support/cairn-process.js';

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
