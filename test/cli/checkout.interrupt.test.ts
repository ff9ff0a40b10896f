// A checkout that is interrupted, or killed, in the middle: nothing half-written has a name, and repeating finishes the job.

import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { isTemporaryName } from '../../src/cli/place-entry.js';
import { type CairnServerProcess, finished, runCairn, spawnCairn, startCairnServer } from '../support/cairn-process.js';
import { startCuttingProxy } from '../support/cutting-proxy.js';
import { snapshot } from '../support/file-tree.js';
import { seededRandom, testSeed } from '../support/random.js';

const random = seededRandom(testSeed('interrupted checkouts'));
const fileCount = 3000;
const largeBytes = 3_000_000;

let directory: string;
let server: CairnServerProcess;
let source: string;
let tree: string;
let totalBytes = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-interrupt-'));
  server = await startCairnServer(['--data', join(directory, 'data'), '--durability', 'memory']);
  source = join(directory, 'source');
  for (let i = 0; i < fileCount; i++) {
    const folder = join(source, `d${i % 40}`, `e${i % 7}`);
    await mkdir(folder, { recursive: true });
    const size = i % 1000 === 999 ? largeBytes : random.below(4000);
    totalBytes += size;
    await writeFile(join(folder, `f${i}`), random.bytes(size));
    await chmod(join(folder, `f${i}`), random.pick([0o644, 0o755, 0o444, 0o555]));
    if (i % 100 === 0) await symlink(`f${i}`, join(folder, `l${i}`));
  }
  await mkdir(join(source, 'empty/er'), { recursive: true });
  const { code, stdout, stderr } = await runCairn(['sync', source, '--json'], { server: server.url });
  expect(code, stderr).toBe(exitCodes.ok);
  tree = JSON.parse(stdout.trim().split('\n').at(-1)!).tree;
}, 120_000);

afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

const into = async () => join(await mkdtemp(join(directory, 'work-')), 'out');

async function filesOf(out: string): Promise<string[]> {
  const entries = await readdir(out, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

async function expectDone(out: string): Promise<void> {
  execFileSync('diff', ['-r', '--no-dereference', source, out]);
  expect(await snapshot(out)).toEqual(await snapshot(source));
}

describe('checkout, ended in the middle', () => {
  it.each([
    { signal: 'SIGINT', code: exitCodes.interrupted },
    { signal: 'SIGTERM', code: exitCodes.terminated },
    { signal: 'SIGKILL', code: undefined },
  ] as const)(
    'by $signal, leaves whole files alone under their names, and is finished by the next',
    async ({ signal, code }) => {
      const out = await into();
      const want = await snapshot(source);
      for (const share of [0.3, 0.6]) {
        const proxy = await startCuttingProxy(server.url);
        // What comes through lets a part be written; then the server seems to stall, so the command is surely in the middle.
        proxy.stallAfterBytes = totalBytes * share;
        const child = spawnCairn(['checkout', tree, out], { server: proxy.url });
        const ended = finished(child);
        const before = (await filesOf(out)).length;
        await expect.poll(async () => (await filesOf(out)).length, { timeout: 20_000 }).toBeGreaterThan(before + 20);
        child.kill(signal);
        expect((await ended).code).toBe(code);
        await proxy.close();
        const left = (await filesOf(out)).filter(isTemporaryName);
        if (signal !== 'SIGKILL') expect(left).toEqual([]);
        const found = await snapshot(out);
        const wrong = Object.keys(found).filter((path) => {
          return !isTemporaryName(path.split('/').at(-1)!) && found[path] !== 'directory' && found[path] !== want[path];
        });
        expect(wrong).toEqual([]);
        expect(Object.keys(found).length).toBeLessThan(Object.keys(want).length);
      }
      const again = await runCairn(['checkout', tree, out, '--json'], { server: server.url });
      expect(again).toMatchObject({ code: exitCodes.ok, stderr: '' });
      const { unchanged, extra } = JSON.parse(again.stdout);
      expect(unchanged).toBeGreaterThan(20);
      expect(extra).toBe(0);
      await expectDone(out);
    },
    90_000,
  );

  it('by a server that goes away, says so', async () => {
    const out = await into();
    const proxy = await startCuttingProxy(server.url);
    proxy.stallAfterBytes = totalBytes * 0.3;
    const ended = runCairn(['checkout', tree, out], { server: proxy.url });
    await expect.poll(async () => (await filesOf(out)).length, { timeout: 20_000 }).toBeGreaterThan(20);
    proxy.refuses = true;
    proxy.cutAll();
    expect((await ended).code).toBe(exitCodes.unreachable);
    await proxy.close();
    expect((await filesOf(out)).filter(isTemporaryName)).toEqual([]);
    expect((await runCairn(['checkout', tree, out], { server: server.url })).code).toBe(exitCodes.ok);
    await expectDone(out);
  }, 60_000);
});
