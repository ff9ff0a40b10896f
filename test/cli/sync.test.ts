// cairn sync as people run it: real processes, a real server, real files.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFile,
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatHash, parseHash } from '../../src/base/digest.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { memoryPath } from '../../src/cli/file-memory.js';
import { type CairnClient, connect } from '../../src/client/client.js';
import { treeSource } from '../../src/client/tree-source.js';
import type { TreeItem } from '../../src/tree/tree-item.js';
import { TreeReader } from '../../src/tree/tree-reader.js';
import { type CairnServerProcess, finished, runCairn, spawnCairn, startCairnServer } from '../support/cairn-process.js';
import { seededRandom } from '../support/random.js';

interface Summary {
  readonly tree: string;
  readonly files: number;
  readonly bytes: number;
  readonly filesRead: number;
  readonly problems: number;
  readonly blobsMissing: number;
  readonly blobsUploaded: number;
  readonly bytesUploaded: number;
  readonly seconds: number;
}

let directory: string;
let server: CairnServerProcess;
let client: CairnClient;
let work: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-sync-test-'));
  process.env.XDG_CACHE_HOME = join(directory, 'cache');
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

const run = (args: readonly string[] = []) => runCairn(['sync', work, ...args], { server: server.url });

async function synced(args: readonly string[] = []): Promise<Summary> {
  const { code, stdout, stderr } = await run(['--json', ...args]);
  expect([code, stderr]).toEqual([exitCodes.ok, '']);
  return JSON.parse(stdout) as Summary;
}

async function put(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(work, path)), { recursive: true });
  await writeFile(join(work, path), content);
}

async function itemsOf(tree: string): Promise<TreeItem[]> {
  const items: TreeItem[] = [];
  const reader = await TreeReader.open(treeSource(client), parseHash(tree));
  for await (const item of reader.items()) items.push(item);
  return items;
}

/** Long enough that a file's times are well before the next run. */
const settle = () => sleep(250);

async function makeFiles(count: number, seed: number): Promise<void> {
  const random = seededRandom(seed);
  for (let i = 0; i < count; i++) await put(`d${i % 30}/file ${i}`, random.bytes(random.between(1, 3000)));
}

describe('sync', () => {
  it('stores files, links, empty directories and modes, and prints the digest of the tree', async () => {
    await put('bin/run', '#!/bin/sh\n');
    await chmod(join(work, 'bin/run'), 0o755);
    await put('data', 'data');
    await chmod(join(work, 'data'), 0o444);
    await put('large', seededRandom(1).bytes(3_000_000));
    await put('empty-file', '');
    await mkdir(join(work, 'void/deep'), { recursive: true });
    await symlink('../data', join(work, 'bin/link'));
    const { code, stdout, stderr } = await run();
    expect(code).toBe(exitCodes.ok);
    expect(stdout).toMatch(/^blake3:[0-9a-f]{64}\n$/);
    expect(stderr).toMatch(/^sync 4 files \(.*\): \d+ blobs missing, \d+ uploaded \(.*\), in .* s\n$/);
    const digest = async (path: string) => digestBlob(await readFile(join(work, path)));
    const plain = { executable: false, readonly: false };
    expect(await itemsOf(stdout.trim())).toEqual([
      { kind: 'symlink', path: 'bin/link', target: '../data' },
      { kind: 'file', path: 'bin/run', digest: await digest('bin/run'), executable: true, readonly: false },
      { kind: 'file', path: 'data', digest: await digest('data'), executable: false, readonly: true },
      { kind: 'file', path: 'empty-file', digest: await digest('empty-file'), ...plain },
      { kind: 'file', path: 'large', digest: await digest('large'), ...plain },
      { kind: 'directory', path: 'void/deep' },
    ]);
    const { complete } = await client.checkTree(parseHash(stdout.trim()));
    expect(complete).toBe(true);
  });

  it('uploads nothing the second time, reads nothing, and finds the same tree without a memory', async () => {
    await makeFiles(600, 2);
    await settle();
    const first = await synced();
    expect(first).toMatchObject({ files: 600, filesRead: 600, problems: 0 });
    expect(first.blobsUploaded).toBe(first.blobsMissing);
    expect(first.blobsUploaded).toBeGreaterThan(600);
    const second = await synced();
    expect(second).toMatchObject({
      tree: first.tree,
      filesRead: 0,
      blobsMissing: 0,
      blobsUploaded: 0,
      bytesUploaded: 0,
    });
    expect(await synced(['--no-cache'])).toMatchObject({ tree: first.tree, filesRead: 600, blobsUploaded: 0 });
    const copy = join(directory, 'copy');
    await cp(work, copy, { recursive: true });
    const { stdout } = await runCairn(['sync', copy], { server: server.url });
    expect(stdout).toBe(`${first.tree}\n`);
  });

  it('sends a changed file and a few kilobytes, and the old digest when the change is undone', async () => {
    await makeFiles(3000, 3);
    await settle();
    const first = await synced();
    const path = 'd7/file 7';
    const before = await readFile(join(work, path));
    await put(path, randomBytes(100_000));
    await put('d7/new file', 'new');
    await unlink(join(work, 'd3/file 3'));
    await rename(join(work, 'd4/file 4'), join(work, 'd4/file 4 renamed'));
    const second = await synced();
    expect(second.tree).not.toBe(first.tree);
    expect(second).toMatchObject({ files: 3000, filesRead: 3 });
    expect(second.bytesUploaded).toBeLessThan(100_000 + 3 + 80_000);
    expect(second.blobsUploaded).toBeLessThan(15);
    await put(path, before);
    await unlink(join(work, 'd7/new file'));
    await rename(join(work, 'd4/file 4 renamed'), join(work, 'd4/file 4'));
    await put(
      'd3/file 3',
      (
        await client.readBatch([
          (
            await itemsOf(first.tree)
          ).flatMap((item) => (item.kind === 'file' && item.path === 'd3/file 3' ? [item.digest] : []))[0]!,
        ])
      )[0]!,
    );
    expect(await synced()).toMatchObject({ tree: first.tree, blobsUploaded: 0 });
  });

  it('notices a change of the same length, of a mode, and of a link’s target', async () => {
    await put('same', 'aaaa');
    await put('mode', 'mode');
    await symlink('same', join(work, 'link'));
    await settle();
    const trees = [(await synced()).tree];
    const old = new Date(1_500_000_000_000);
    await utimes(join(work, 'same'), old, old);
    trees.push((await synced()).tree);
    expect(trees[1]).toBe(trees[0]);
    await writeFile(join(work, 'same'), 'bbbb');
    await utimes(join(work, 'same'), old, old);
    trees.push((await synced()).tree);
    await chmod(join(work, 'mode'), 0o755);
    trees.push((await synced()).tree);
    await unlink(join(work, 'link'));
    await symlink('mode', join(work, 'link'));
    trees.push((await synced()).tree);
    expect(new Set(trees).size).toBe(trees.length - 1);
  });

  it('sees a file written in the tick in which it was read, though nothing shows it', async () => {
    const file = join(work, 'racy');
    for (let i = 0; i < 3; i++) {
      await writeFile(file, `one ${i}`);
      const first = await synced();
      // The same inode, size and, where the clock is coarse enough, times.
      await writeFile(file, `two ${i}`);
      const second = await synced();
      expect(second.filesRead).toBe(1);
      expect(second.tree).not.toBe(first.tree);
    }
  });

  it('puts back what vanished from the server, also when it remembers everything', async () => {
    await makeFiles(200, 4);
    await put('large', randomBytes(200_000));
    await settle();
    const { tree } = await synced();
    // The server has found by now that it has all of it.
    expect(await synced()).toMatchObject({ tree, filesRead: 0, blobsMissing: 0 });
    const items = await itemsOf(tree);
    const gone = items.filter((item, i) => item.kind === 'file' && (i % 40 === 0 || item.path === 'large'));
    await client.delete(gone.flatMap((item) => (item.kind === 'file' ? [item.digest.hash] : [])));
    expect(await synced()).toMatchObject({ tree, filesRead: 0, blobsMissing: gone.length, blobsUploaded: gone.length });
    await client.delete([parseHash(tree)]);
    expect(await synced()).toMatchObject({ tree, filesRead: 0, blobsUploaded: 1 });
    expect((await client.checkTree(parseHash(tree))).complete).toBe(true);
  });

  it('does without a memory that is damaged, and repairs it', async () => {
    await makeFiles(50, 5);
    await settle();
    const { tree } = await synced();
    const memory = memoryPath(work);
    const bytes = await readFile(memory);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(memory, bytes);
    expect(await synced()).toMatchObject({ tree, filesRead: 50, blobsUploaded: 0 });
    expect(await synced()).toMatchObject({ tree, filesRead: 0 });
    expect((await readdir(dirname(memory))).filter((name) => !name.endsWith('.memory'))).toEqual([]);
  });

  it('leaves out what is excluded', async () => {
    for (const path of ['a.log', 'keep.log', 'src/a.js', 'node_modules/x/y.js', 'src/b.tmp']) await put(path, path);
    await put('patterns', '*.tmp\n/patterns\n');
    const list = join(work, 'patterns');
    const args = ['--exclude', '*.log', '--exclude', '!keep.log', '--exclude', 'node_modules/', '--exclude-from', list];
    const { tree } = await synced(args);
    expect((await itemsOf(tree)).map(({ path }) => path)).toEqual(['keep.log', 'src/a.js']);
  });

  it('reports what cannot stand in a tree, stores the rest, and exits with 1', async () => {
    await put('good', 'good');
    await put('Good', 'other');
    await symlink('/etc/passwd', join(work, 'absolute'));
    await symlink('../outside', join(work, 'climbing'));
    execFileSync('mkfifo', [join(work, 'pipe')]);
    await writeFile(Buffer.concat([Buffer.from(`${work}/`), Buffer.from([0xff, 0x61])]), 'bad');
    const { code, stdout, stderr } = await run();
    expect(code).toBe(exitCodes.failed);
    expect((await itemsOf(stdout.trim())).map(({ path }) => path)).toEqual(['Good', 'good']);
    expect(stderr).toMatch(/cairn: .*"absolute".* is absolute/);
    expect(stderr).toMatch(/cairn: .*"climbing".* leads out of the tree/);
    expect(stderr).toMatch(/cairn: pipe is a pipe/);
    expect(stderr).toMatch(/not UTF-8.* ff61\n/);
    expect(stderr).toMatch(/warning: .* same name where case does not count/);
    expect(stderr).toMatch(/4 left out/);
    const json = await run(['--json']);
    expect(json.code).toBe(exitCodes.failed);
    const names = json.stderr
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { name: string }).name);
    expect(names).toContain('climbing');
    expect(JSON.parse(json.stdout)).toMatchObject({ problems: 4, files: 2 });
  });

  it('syncs an empty directory, and refuses what is none', async () => {
    expect(await itemsOf((await synced()).tree)).toEqual([]);
    await put('file', '');
    for (const name of ['file', 'absent']) {
      const { code, stdout, stderr } = await runCairn(['sync', join(work, name)], { server: server.url });
      expect([code, stdout]).toEqual([exitCodes.failed, '']);
      expect(stderr).toContain(name);
    }
    expect((await runCairn(['sync'], { server: server.url })).code).toBe(exitCodes.usage);
    expect((await runCairn(['sync', work], { server: 'http://127.0.0.1:1' })).code).toBe(exitCodes.unreachable);
  });

  it('has the tree of a moment of each file while files grow, or says which it has not', async () => {
    await makeFiles(100, 7);
    await put('large', randomBytes(4_000_000));
    let stop = false;
    const growing = (async () => {
      while (!stop) {
        await appendFile(join(work, 'large'), 'more');
        await appendFile(join(work, 'd1/file 1'), 'more');
      }
    })();
    const { code, stdout, stderr } = await run();
    stop = true;
    await growing;
    const paths = (await itemsOf(stdout.trim())).map(({ path }) => path);
    const missing = ['large', 'd1/file 1'].filter((path) => !paths.includes(path));
    expect(code).toBe(missing.length === 0 ? exitCodes.ok : exitCodes.failed);
    for (const path of missing) expect(stderr).toContain(`cannot read ${path}: it keeps changing while it is read`);
    expect((await client.checkTree(parseHash(stdout.trim()))).complete).toBe(true);
    const { files } = await synced();
    expect(files).toBe(101);
  });
});

describe('sync, interrupted', () => {
  it('ends with 4 when the server is killed, and finishes when it is repeated', async () => {
    await makeFiles(4000, 8);
    await settle();
    const data = join(directory, 'killed');
    let want = '';
    for (let round = 0; round < 4; round++) {
      const victim = await startCairnServer(['--data', data, '--log-level', 'silent']);
      const child = spawnCairn(['sync', work], { server: victim.url });
      child.stdin.end();
      const end = finished(child);
      await sleep(350 + 150 * round);
      await victim.stop('SIGKILL');
      const { code, stdout } = await end;
      expect([exitCodes.unreachable, exitCodes.ok]).toContain(code);
      expect(stdout === '').toBe(code !== exitCodes.ok);
      if (code === exitCodes.ok) want = stdout;
    }
    const last = await startCairnServer(['--data', data]);
    const { code, stdout } = await runCairn(['sync', work], { server: last.url });
    expect(code).toBe(exitCodes.ok);
    if (want !== '') expect(stdout).toBe(want);
    const second = connect(last.url);
    expect((await second.checkTree(parseHash(stdout.trim()))).complete).toBe(true);
    second.close();
    await last.stop();
  }, 120_000);

  it('ends with 130 on Ctrl-C', async () => {
    await makeFiles(3000, 9);
    const child = spawnCairn(['sync', work], { server: server.url });
    child.stdin.end();
    const end = finished(child);
    // Before it has called the server it may not listen to signals yet.
    const calls = async () => {
      const metrics = await (await fetch(`${server.url}/metrics`)).text();
      const counts = [...metrics.matchAll(/^cairn_calls_total\{protocol="grpc".*\} (\d+)$/gm)];
      return counts.reduce((sum, [, count]) => sum + Number(count), 0);
    };
    const before = await calls();
    await expect.poll(calls, { timeout: 20_000, interval: 20 }).toBeGreaterThan(before);
    child.kill('SIGINT');
    const { code } = await end;
    expect([exitCodes.interrupted, exitCodes.ok]).toContain(code);
  });

  it('lets two clients with overlapping trees both succeed', async () => {
    await makeFiles(1500, 10);
    const other = await mkdtemp(join(directory, 'other-'));
    await cp(work, other, { recursive: true });
    await writeFile(join(other, 'own'), randomBytes(1000));
    const [mine, theirs] = await Promise.all([
      run(['--no-cache']),
      runCairn(['sync', other, '--no-cache'], { server: server.url }),
    ]);
    expect([mine.code, theirs.code]).toEqual([exitCodes.ok, exitCodes.ok]);
    for (const { stdout } of [mine, theirs]) {
      expect((await client.checkTree(parseHash(stdout.trim()))).complete).toBe(true);
    }
    expect(mine.stdout).not.toBe(theirs.stdout);
  });
});

it('names the digest that the root’s bytes have', async () => {
  await put('a', 'a');
  const { tree } = await synced();
  const pieces: Uint8Array[] = [];
  for await (const piece of client.get(parseHash(tree))) pieces.push(piece);
  expect(formatHash(digestBlob(Buffer.concat(pieces)).hash)).toBe(tree);
});
