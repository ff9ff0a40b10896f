import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestBlob } from '../../src/blake3/hasher.js';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { type CairnClient, connect } from '../../src/client/client.js';
import { type CairnServerProcess, runCairn, startCairnServer } from '../support/cairn-process.js';
import { seededRandom } from '../support/random.js';
import { uploadTree } from '../support/upload-tree.js';

let directory: string;
let server: CairnServerProcess;
let client: CairnClient;
let tree: string;
const large = seededRandom(9).bytes(500_000);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-cat-'));
  server = await startCairnServer(['--data', directory]);
  client = connect(server.url);
  tree = await uploadTree(client, {
    file: 'file',
    'a/b/c': 'deep',
    'a/large': large,
    'a/up': { link: '../file' },
    'a/chain': { link: 'up' },
    'links/a': { link: '../a' },
    'links/b': { link: 'a/b' },
    loop: { link: 'loop' },
    dangling: { link: 'nowhere' },
    hole: { directory: true },
    lost: 'lost',
  });
  await client.delete([digestBlob(Buffer.from('lost')).hash]);
});

afterAll(async () => {
  client.close();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

const cat = (path: string, of = tree) => runCairn(['cat', of, path], { server: server.url });

describe('cat', () => {
  it.each([
    { path: 'file', want: 'file' },
    { path: 'a/b/c', want: 'deep' },
    { path: './a//b/../b/c', want: 'deep' },
    { path: 'a/up', want: 'file' },
    { path: 'a/chain', want: 'file' },
    { path: 'links/a/up', want: 'file' },
    { path: 'links/b/c', want: 'deep' },
    { path: 'links/a/../file', want: 'file' },
  ])('writes $path', async ({ path, want }) => {
    const { code, stdout, stderr } = await cat(path);
    expect({ code, stdout, stderr }).toEqual({ code: exitCodes.ok, stdout: want, stderr: '' });
  });

  it('writes a large file byte for byte', async () => {
    expect(Buffer.compare((await cat('a/large')).bytes, large)).toBe(0);
  });

  it.each([
    { path: 'nothing', code: exitCodes.notFound },
    { path: 'file/below', code: exitCodes.notFound },
    { path: 'dangling', code: exitCodes.notFound },
    { path: 'lost', code: exitCodes.notFound },
    { path: '../file', code: exitCodes.usage },
    { path: 'loop', code: exitCodes.failed },
    { path: 'a', code: exitCodes.failed },
    { path: 'links/b', code: exitCodes.failed },
    { path: 'hole', code: exitCodes.failed },
    { path: '.', code: exitCodes.failed },
  ])('has no file at $path', async ({ path, code }) => {
    expect(await cat(path)).toMatchObject({ code, stdout: '' });
  });
});
