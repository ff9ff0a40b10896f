// Trees and directories made to lead a checkout astray. A canary lies beside the directory: it must stay as it is, whatever
// leads to it.

import { execFileSync } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatHash } from '../../src/base/digest.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { type CairnClient, connect } from '../../src/client/client.js';
import { type CairnServerProcess, runCairn, startCairnServer } from '../support/cairn-process.js';
import { snapshot, touches } from '../support/file-tree.js';
import { type TestEntry, uploadNode, uploadTree } from '../support/upload-tree.js';

let directory: string;
let server: CairnServerProcess;
let client: CairnClient;
let work: string;
let canary: Record<string, string>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-hostile-'));
  server = await startCairnServer(['--data', join(directory, 'data')]);
  client = connect(server.url);
});

afterAll(async () => {
  client.close();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  work = await mkdtemp(join(directory, 'work-'));
  await mkdir(join(work, 'outside/inner'), { recursive: true });
  await mkdir(join(work, 'out'));
  await writeFile(join(work, 'outside/file'), 'canary');
  await writeFile(join(work, 'outside/inner/file'), 'canary');
  canary = await touches(join(work, 'outside'));
});

const run = (args: readonly string[]) => runCairn(args, { server: server.url, cwd: work });
const out = (path = '') => join(work, 'out', path);

describe('a directory that holds hostile things', () => {
  const tree = {
    'inner/file': 'mine',
    'a/b/c/file': 'mine',
    file: { content: 'mine', executable: true },
    'link/up': { link: '../file' },
    hole: { directory: true },
  } as const;
  const mine = {
    'inner/file': '644 mine',
    'a/b/c/file': '644 mine',
    file: '755 mine',
    'link/up': '-> ../file',
    hole: 'directory',
  };

  it.each<{ name: string; prepare: () => Promise<unknown> }>([
    { name: 'a link in the place of a directory', prepare: () => symlink('../outside/inner', out('inner')) },
    { name: 'an absolute one', prepare: () => symlink(join(work, 'outside'), out('a')) },
    {
      name: 'one further down',
      prepare: async () => {
        await mkdir(out('a/b'), { recursive: true });
        await symlink('../../../outside', out('a/b/c'));
      },
    },
    { name: 'one in the place of an empty directory', prepare: () => symlink('../outside', out('hole')) },
    { name: 'one in the place of a file', prepare: () => symlink('../outside/file', out('file')) },
    { name: 'one in the place of a file, to a directory', prepare: () => symlink('../outside', out('file')) },
    {
      name: 'one in the place of another link',
      prepare: async () => {
        await mkdir(out('link'));
        await symlink('../../outside/inner', out('link/up'));
      },
    },
    {
      name: 'a link among what is removed',
      prepare: async () => {
        await mkdir(out('extra/more'), { recursive: true });
        await symlink('../../../outside', out('extra/more/link'));
        await symlink('../outside/inner', out('gone'));
      },
    },
    {
      name: 'a directory with links in the place of a file',
      prepare: async () => {
        await mkdir(out('file/more'), { recursive: true });
        await symlink('../../../outside', out('file/more/link'));
      },
    },
    { name: 'a pipe in the place of a file', prepare: async () => execFileSync('mkfifo', [out('file')]) },
    { name: 'a pipe in the place of a directory', prepare: async () => execFileSync('mkfifo', [out('a')]) },
    {
      name: 'a pipe in the place of a link',
      prepare: async () => {
        await mkdir(out('link'));
        execFileSync('mkfifo', [out('link/up')]);
      },
    },
    { name: 'a link that leads to itself', prepare: () => symlink('a', out('a')) },
    {
      name: 'a leftover that is a link',
      prepare: () => symlink('../outside/file', out('.cairn-0123456789abcdef0123456789abcdef.part')),
    },
    {
      name: 'a file nobody may touch',
      prepare: async () => {
        await writeFile(out('file'), 'mine');
        await chmod(out('file'), 0);
      },
    },
  ])('$name leads nowhere', async ({ prepare }) => {
    await prepare();
    const root = await uploadTree(client, tree);
    const { code, stderr } = await run(['checkout', root, 'out', '--delete', '--json']);
    expect({ code, stderr }).toEqual({ code: exitCodes.ok, stderr: '' });
    expect(await snapshot(out())).toEqual(mine);
    expect(await touches(join(work, 'outside'))).toEqual(canary);
  });

  it('is only read by verify, which follows no link either', async () => {
    await symlink('../outside/inner', out('inner'));
    await symlink('../outside/file', out('file'));
    execFileSync('mkfifo', [out('hole')]);
    const before = await touches(out());
    const { code, stdout } = await run(['verify', await uploadTree(client, tree), 'out']);
    expect(code).toBe(exitCodes.different);
    expect(stdout.trim().split('\n').sort()).toEqual([
      'missing a/b/c/file',
      'missing inner/file',
      'missing link/up',
      'type file',
      'type hole',
      'type inner',
    ]);
    expect(await touches(out())).toEqual(before);
    expect(await touches(join(work, 'outside'))).toEqual(canary);
  });
});

describe('a tree made by hand', () => {
  const refused: { name: string; node: [string, TestEntry][] }[] = [
    { name: 'a path that climbs', node: [['../outside/file', 'x']] },
    { name: 'a path that climbs in the middle', node: [['a/../../outside/file', 'x']] },
    { name: 'an absolute path', node: [['/tmp/cairn-hostile', 'x']] },
    { name: 'an empty path', node: [['', 'x']] },
    { name: 'a dot', node: [['./a', 'x']] },
    { name: 'two slashes', node: [['a//b', 'x']] },
    { name: 'a slash at the end', node: [['a/', 'x']] },
    { name: 'a NUL', node: [['a\0b', 'x']] },
    { name: 'a name too long', node: [['a'.repeat(256), 'x']] },
    {
      name: 'a path twice',
      node: [
        ['a', 'x'],
        ['a', 'y'],
      ],
    },
    {
      name: 'paths out of order',
      node: [
        ['b', 'x'],
        ['a', 'y'],
      ],
    },
    {
      name: 'a file below a file',
      node: [
        ['a', 'x'],
        ['a/b', 'y'],
      ],
    },
    {
      name: 'a file below a link',
      node: [
        ['a', { link: 'b' }],
        ['a/file', 'y'],
      ],
    },
    {
      name: 'a file below a link, with others between',
      node: [
        ['a', { link: '.' }],
        ['a-', 'x'],
        ['a/file', 'y'],
      ],
    },
    { name: 'a link out', node: [['link', { link: '../outside' }]] },
    { name: 'a link out, further down', node: [['a/link', { link: '../../outside' }]] },
    { name: 'an absolute link', node: [['link', { link: '/etc' }]] },
    { name: 'an empty link', node: [['link', { link: '' }]] },
  ];

  it.each(refused)('is refused with nothing written: $name', async ({ node }) => {
    const before = await touches(out());
    for (const { entries, into } of [
      { entries: node, into: 'out' },
      { entries: [...node, ['z', 'fine'] as const], into: 'new' },
    ]) {
      const { hash } = await uploadNode(client, entries);
      const { code, stdout } = await run(['checkout', formatHash(hash), into, '--delete']);
      expect({ code, stdout }).toEqual({ code: exitCodes.usage, stdout: '' });
    }
    expect(await touches(out())).toEqual(before);
    expect(await touches(join(work, 'outside'))).toEqual(canary);
    expect(await lstat(join(work, 'new')).catch(() => 'absent')).toBe('absent');
  });

  it('is refused with nothing written when only its last node is bad, or missing', async () => {
    const good = await uploadNode(client, [
      ['a', 'x'],
      ['b/c', 'y'],
    ]);
    const nodes = [
      await uploadNode(client, [
        ['c', 'x'],
        ['../d', 'y'],
      ]),
      await uploadNode(client, [['a2', 'x']]),
      digestBlob(Buffer.from('never stored')),
    ];
    for (const [i, node] of nodes.entries()) {
      const parts = [good, node].map((part, j) => ({
        node: part,
        firstPath: j === 0 ? 'a' : 'c',
        itemCount: part === good || i !== 1 ? 2 : 1,
        fileBytes: part === good || i !== 1 ? 2 : 1,
      }));
      const root = await uploadNode(client, { kind: 'branch', parts });
      const { code } = await run(['checkout', formatHash(root.hash), 'new']);
      expect(code).toBe(i === 2 ? exitCodes.notFound : exitCodes.usage);
      expect(await lstat(join(work, 'new')).catch(() => 'absent')).toBe('absent');
    }
  });
});
