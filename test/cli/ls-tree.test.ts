import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatHash } from '../../src/base/digest.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { type CairnClient, connect } from '../../src/client/client.js';
import { type CairnServerProcess, runCairn, startCairnServer } from '../support/cairn-process.js';
import { uploadTree } from '../support/upload-tree.js';

let directory: string;
let server: CairnServerProcess;
let client: CairnClient;
let tree: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-ls-'));
  server = await startCairnServer(['--data', directory]);
  client = connect(server.url);
  tree = await uploadTree(client, {
    'a/run': { content: 'run', executable: true },
    'a/set': { content: 'set', readonly: true },
    'a-b': 'beside',
    'hole/in': { directory: true },
    link: { link: 'a/run' },
    'new\nline': '',
  });
});

afterAll(async () => {
  client.close();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

const ls = (args: readonly string[]) => runCairn(['ls', ...args], { server: server.url });
const name = (text: string) => formatHash(digestBlob(Buffer.from(text)).hash);

describe('ls of a tree', () => {
  it('prints its entries in order of path', async () => {
    const { code, stdout, stderr } = await ls([tree]);
    expect({ code, stderr }).toEqual({ code: exitCodes.ok, stderr: '' });
    expect(stdout.trimEnd().split('\n')).toEqual([
      `-rw- 6 ${name('beside')} a-b`,
      `-rwx 3 ${name('run')} a/run`,
      `-r-- 3 ${name('set')} a/set`,
      'd--- - - hole/in',
      'l--- - - link -> a/run',
      `-rw- 0 ${name('')} "new\\nline"`,
    ]);
  });

  it('prints what is at a path or below it', async () => {
    const paths = async (path: string) =>
      (await ls([tree, path])).stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(' ')[3]);
    expect(await paths('a')).toEqual(['a/run', 'a/set']);
    expect(await paths('a/')).toEqual(['a/run', 'a/set']);
    expect(await paths('a/set')).toEqual(['a/set']);
    expect((await ls([tree, 'b'])).code).toBe(exitCodes.notFound);
    expect((await ls([tree.replace(/^../, '00')])).code).toBe(exitCodes.notFound);
  });

  it('prints objects', async () => {
    const { stdout } = await ls([tree, '--json']);
    const items = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(items).toHaveLength(6);
    expect(items[1]).toEqual({
      kind: 'file',
      path: 'a/run',
      digest: name('run'),
      size: 3,
      executable: true,
      readonly: false,
    });
    expect(items[3]).toEqual({ kind: 'directory', path: 'hole/in' });
    expect(items[4]).toEqual({ kind: 'symlink', path: 'link', target: 'a/run' });
  });
});
