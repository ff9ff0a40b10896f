// What checkout makes of an empty directory and of one that holds something else already. Hostile surroundings and
// interruptions have files of their own.

import { execFileSync } from 'node:child_process';
import { chmod, chown, link, lstat, mkdir, mkdtemp, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatHash, parseHash } from '../../src/base/digest.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { type CairnClient, connect } from '../../src/client/client.js';
import { type CairnServerProcess, runCairn, startCairnServer } from '../support/cairn-process.js';
import { snapshot, touches } from '../support/file-tree.js';
import { seededRandom } from '../support/random.js';
import { type TestEntry, type TestTree, uploadTree } from '../support/upload-tree.js';

let directory: string;
let server: CairnServerProcess;
let client: CairnClient;
let work: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-checkout-'));
  await chmod(directory, 0o755);
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
});

/** Into `out` in the test's own folder. */
async function checkout(tree: string, args: readonly string[] = [], uid?: number) {
  const { code, stdout, stderr } = await runCairn(['checkout', tree, 'out', '--json', ...args], {
    server: server.url,
    cwd: work,
    uid,
  });
  return { code, stderr, sum: stdout === '' ? undefined : JSON.parse(stdout) };
}

const out = (path = '') => join(work, 'out', path);

const many: TestTree = {
  README: 'read me',
  empty: '',
  'bin/run': { content: '#!/bin/sh\n', executable: true },
  'bin/fixed': { content: 'fixed', executable: true, readonly: true },
  'deep/er/and/deeper/file': { content: 'deep', readonly: true },
  'deep-not/file': 'beside',
  'deep.txt': 'deep',
  'holds/nothing': { directory: true },
  'links/up': { link: '../deep/er' },
  'links/dangling': { link: 'nowhere' },
  'ünïcödé/日本語 🎉': 'names',
  'odd\nname\\"': 'odd',
  large: seededRandom(1).bytes(300_000),
  'other/large': { content: seededRandom(2).bytes(3_000_000), executable: true },
};

const manyOnDisk = {
  README: '644 read me',
  empty: '644 ',
  'bin/run': '755 #!/bin/sh\n',
  'bin/fixed': '555 fixed',
  'deep/er/and/deeper/file': '444 deep',
  'deep-not/file': '644 beside',
  'deep.txt': '644 deep',
  'holds/nothing': 'directory',
  'links/up': '-> ../deep/er',
  'links/dangling': '-> nowhere',
  'ünïcödé/日本語 🎉': '644 names',
  'odd\nname\\"': '644 odd',
  large: `644 ${Buffer.from(seededRandom(1).bytes(300_000)).toString('latin1')}`,
  'other/large': `755 ${Buffer.from(seededRandom(2).bytes(3_000_000)).toString('latin1')}`,
};

describe('checkout', () => {
  it('makes a directory what the tree says, with modes, links and empty directories', async () => {
    const tree = await uploadTree(client, many);
    const { code, sum, stderr } = await checkout(tree);
    expect({ code, stderr }).toEqual({ code: exitCodes.ok, stderr: '' });
    expect(await snapshot(out())).toEqual(manyOnDisk);
    const counts = { entries: 14, written: 14, unchanged: 0, modesChanged: 0, removed: 0, extra: 0, failed: 0 };
    expect(sum).toMatchObject({ tree: formatHash(parseHash(tree)), directory: 'out', ...counts });
  });

  it('writes nothing the second time', async () => {
    const tree = await uploadTree(client, many);
    await checkout(tree);
    const before = await touches(out());
    const { code, sum } = await checkout(tree, ['--delete']);
    expect(code).toBe(exitCodes.ok);
    expect(sum).toMatchObject({ written: 0, unchanged: 14, modesChanged: 0, removed: 0 });
    expect(await touches(out())).toEqual(before);
  });

  it('touches only what differs, and finds a change that kept size and time', async () => {
    const tree = await uploadTree(client, many);
    await checkout(tree);
    const before = await touches(out());
    const { atime, mtime } = await stat(out('README'));
    await writeFile(out('README'), 'xead me');
    await utimes(out('README'), atime, mtime);
    await chmod(out('bin/run'), 0o644);
    await chmod(out('deep.txt'), 0o600);
    await rm(out('links/up'));
    const { code, sum } = await checkout(tree);
    expect(code).toBe(exitCodes.ok);
    expect(sum).toMatchObject({ written: 2, modesChanged: 1, unchanged: 11 });
    // Of a mode only the owner's rights count.
    expect(await snapshot(out())).toEqual({ ...manyOnDisk, 'deep.txt': '600 deep' });
    const after = await touches(out());
    const touched = Object.keys(after).filter((path) => before[path] !== after[path]);
    expect(touched.sort()).toEqual(['.', 'README', 'bin/run', 'deep.txt', 'links', 'links/up'].sort());
  });

  it('leaves what the tree has not, or removes it with --delete', async () => {
    const tree = await uploadTree(client, { 'a/b': 'b', 'e/mpty': { directory: true } });
    await mkdir(out('more/x'), { recursive: true });
    await mkdir(out('e/mpty'), { recursive: true });
    await mkdir(out('a'));
    await writeFile(out('a/c'), 'c');
    await writeFile(out('more/x/y'), 'y');
    await writeFile(out('e/mpty/full'), 'full');
    await symlink('b', out('a/l'));
    const odd = Buffer.concat([Buffer.from(`${out()}/`), Buffer.from([0xff, 0xfe])]);
    await mkdir(odd);
    await writeFile(Buffer.concat([odd, Buffer.from([0x2f, 0x80])]), 'odd');

    const kept = await checkout(tree);
    expect(kept).toMatchObject({ code: exitCodes.ok, sum: { extra: 5, removed: 0 } });
    const removed = await checkout(tree, ['--delete']);
    expect(removed).toMatchObject({ code: exitCodes.ok, sum: { extra: 0, removed: 5 } });
    expect(await snapshot(out())).toEqual({ 'a/b': '644 b', 'e/mpty': 'directory' });
  });

  const kinds: Readonly<Record<string, TestTree>> = {
    file: { x: 'file' },
    'other file': { x: { content: 'other', executable: true } },
    link: { x: { link: 'somewhere' } },
    'empty directory': { x: { directory: true } },
    'full directory': { 'x/y/z': 'z', 'x/l': { link: 'y' } },
    nothing: { beside: 'x' },
  };
  it('turns every kind of entry into every other', async () => {
    const before: Record<string, TestEntry> = {};
    const after: Record<string, TestEntry> = {};
    for (const [from, had] of Object.entries(kinds)) {
      for (const [to, has] of Object.entries(kinds)) {
        for (const [path, entry] of Object.entries(had)) before[`${from} to ${to}/${path}`] = entry;
        for (const [path, entry] of Object.entries(has)) after[`${from} to ${to}/${path}`] = entry;
      }
    }
    await checkout(await uploadTree(client, before));
    const tree = await uploadTree(client, after);
    expect(await checkout(tree, ['--delete'])).toMatchObject({ code: exitCodes.ok, stderr: '' });
    const { code, stdout } = await runCairn(['verify', tree, 'out'], { server: server.url, cwd: work });
    expect({ code, stdout }).toEqual({ code: exitCodes.ok, stdout: '' });
  });

  it('removes what interrupted runs left, but not what only looks like it', async () => {
    const tree = await uploadTree(client, { 'a/b': 'b' });
    await mkdir(out('a'), { recursive: true });
    for (const name of [`.cairn-${'0f'.repeat(16)}.part`, 'a/.cairn-0123456789abcdef0123456789abcdef.part']) {
      await writeFile(out(name), 'half');
    }
    await writeFile(out('.cairn-mine.part'), 'mine');
    expect(await checkout(tree)).toMatchObject({ code: exitCodes.ok, sum: { extra: 1, removed: 0 } });
    expect(await snapshot(out())).toEqual({ 'a/b': '644 b', '.cairn-mine.part': '644 mine' });
  });

  it('changes no mode of a file that has other names', async () => {
    const tree = await uploadTree(client, { x: { content: 'x', executable: true } });
    await mkdir(out());
    await writeFile(join(work, 'outside'), 'x');
    await link(join(work, 'outside'), out('x'));
    expect(await checkout(tree)).toMatchObject({ code: exitCodes.ok, sum: { written: 1 } });
    expect((await stat(join(work, 'outside'))).mode & 0o777).toBe(0o644);
    expect(await snapshot(out())).toEqual({ x: '755 x' });
  });

  it('writes what it can when a blob is missing, and names the file', async () => {
    const lost = seededRandom(77).bytes(100);
    const tree = await uploadTree(client, { a: 'a', lost, 'z/large': seededRandom(78).bytes(200_000) });
    const large = digestBlob(seededRandom(78).bytes(200_000));
    await client.delete([digestBlob(lost).hash, large.hash]);
    const { code, stderr, sum } = await checkout(tree);
    expect(code).toBe(exitCodes.notFound);
    expect(sum).toMatchObject({ written: 1, failed: 2 });
    const reported = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(reported.map(({ path }) => path).sort()).toEqual(['lost', 'z/large']);
    expect(await snapshot(out())).toEqual({ a: '644 a', z: 'directory' });
  });

  it('says which tree, directory or server is wrong', async () => {
    const tree = await uploadTree(client, { a: 'a' });
    const absent = formatHash(digestBlob(seededRandom(5).bytes(9)).hash);
    const blob = await client.put(Buffer.from('no tree'));
    await writeFile(out(), 'a file');
    expect((await checkout(absent)).code).toBe(exitCodes.notFound);
    expect((await checkout(formatHash(blob.digest.hash))).code).toBe(exitCodes.usage);
    expect((await checkout('blake3:12')).code).toBe(exitCodes.usage);
    expect((await checkout(tree)).code).toBe(exitCodes.failed);
    expect((await checkout(tree, ['--server', 'http://127.0.0.1:1'])).code).toBe(exitCodes.unreachable);
  });

  it('takes a link to a directory when the user gives one', async () => {
    const tree = await uploadTree(client, { a: 'a' });
    await mkdir(out('x'), { recursive: true });
    await symlink('x', out('link'));
    const { code } = await runCairn(['checkout', tree, 'out/link'], { server: server.url, cwd: work });
    expect(code).toBe(exitCodes.ok);
    expect(await snapshot(out())).toEqual({ link: '-> x', 'x/a': '644 a' });
  });

  it('says that the disk is full', async () => {
    const small = join(work, 'out');
    await mkdir(small);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small], { stdio: 'ignore' });
    } catch {
      console.log('cannot mount a small disk here: not tested');
      return;
    }
    try {
      for (const size of [50_000, 1_000_000]) {
        const files = Array.from({ length: 30 }, (_, i) => [`f${i}`, seededRandom(size + i).bytes(size)] as const);
        const { code, stderr } = await checkout(await uploadTree(client, Object.fromEntries(files)));
        expect(code).toBe(exitCodes.failed);
        expect(stderr).toContain('"code":"no_space"');
        expect(Object.keys(await snapshot(small)).filter((name) => name.startsWith('.'))).toEqual([]);
      }
    } finally {
      execFileSync('umount', [small]);
    }
  });
});

/** Root may do anything, so what is read-only for others is tried as another user. */
const nobody = process.getuid?.() === 0 ? 65534 : undefined;

describe('checkout over what is read-only', () => {
  beforeEach(async () => {
    if (nobody !== undefined) await chown(work, nobody, nobody);
  });

  it('changes files and directories that their owner may not write or read, and gives directories their mode back', async () => {
    const before = await uploadTree(client, {
      'd/e/f': { content: 'old', readonly: true },
      'd/gone/x': 'x',
      'd/same': 's',
    });
    const after = await uploadTree(client, {
      'd/e/f': { content: 'new', readonly: true },
      'd/same': 's',
      'd/e/g': 'g',
    });
    expect((await checkout(before, [], nobody)).code).toBe(exitCodes.ok);
    for (const [path, mode] of [
      ['d/gone', 0o000],
      ['d/e', 0o111],
      ['d', 0o555],
      ['d/e/f', 0o000],
    ] as const) {
      await chmod(out(path), mode);
    }
    const { code, stderr } = await checkout(after, ['--delete'], nobody);
    expect({ code, stderr }).toEqual({ code: exitCodes.ok, stderr: '' });
    expect(await snapshot(out())).toEqual({ 'd/e/f': '444 new', 'd/same': '644 s', 'd/e/g': '644 g' });
    expect((await lstat(out('d'))).mode & 0o777).toBe(0o555);
    expect((await lstat(out('d/e'))).mode & 0o777).toBe(0o111);
    const touched = await touches(out());
    expect((await checkout(after, ['--delete'], nobody)).code).toBe(exitCodes.ok);
    expect((await touches(out())).d).toBe(touched.d);
  });
});
