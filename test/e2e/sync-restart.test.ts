// The whole job on real files: part of node_modules is synced, the server restarted, and the tree checked out elsewhere,
// where nothing may differ. What changes later is all that travels later.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFile, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { type CairnServerProcess, runCairn, startCairnServer } from '../support/cairn-process.js';

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
const parts = ['.bin', '@connectrpc', '@types', 'commander', 'piscina'];

interface Summary {
  readonly tree: string;
  readonly files: number;
  readonly filesRead: number;
  readonly blobsMissing: number;
  readonly blobsUploaded: number;
  readonly bytesUploaded: number;
}

let directory: string;
let source: string;
let server: CairnServerProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-sync-restart-'));
  source = join(directory, 'source');
  await mkdir(source);
  for (const part of parts) {
    await cp(join(modules, part), join(source, part), { recursive: true, verbatimSymlinks: true });
  }
  // Beside many small files one that has a file of its own in the store.
  await writeFile(join(source, 'large'), randomBytes(3_000_000));
  server = await startCairnServer(['--data', join(directory, 'data')]);
});

afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

async function restart(): Promise<void> {
  expect(await server.stop()).toBe(0);
  server = await startCairnServer(['--data', join(directory, 'data')]);
}

async function sync(): Promise<Summary> {
  const env = { XDG_CACHE_HOME: join(directory, 'cache') };
  const { code, stdout, stderr } = await runCairn(['sync', source, '--json'], { server: server.url, env });
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Summary;
}

/** Checks the tree out into a new directory, which must hold exactly what was synced. */
async function expectCheckout(tree: string, name: string): Promise<void> {
  const copy = join(directory, name);
  const { code, stderr } = await runCairn(['checkout', tree, copy], { server: server.url });
  expect(code, stderr).toBe(0);
  // Fails with what differs.
  execFileSync('diff', ['-r', '--no-dereference', source, copy]);
}

describe('cairn sync of part of node_modules', () => {
  it('comes back after a restart, and moves only what has changed', { timeout: 120_000 }, async () => {
    const first = await sync();
    expect(first.files).toBeGreaterThan(500);
    expect(first.blobsUploaded).toBe(first.blobsMissing);
    await restart();
    await expectCheckout(first.tree, 'first');

    expect(await sync()).toMatchObject({ tree: first.tree, blobsMissing: 0, blobsUploaded: 0, bytesUploaded: 0 });

    const changed = join(source, 'commander/package.json');
    await appendFile(changed, '\n');
    const second = await sync();
    expect(second).toMatchObject({ files: first.files });
    expect(second.tree).not.toBe(first.tree);
    // The file, and one node of each level of the tree.
    expect(second.blobsUploaded).toBeLessThan(6);
    expect(second.bytesUploaded).toBeLessThan(limits.treeNodeBytesMax);
    await restart();
    await expectCheckout(second.tree, 'second');
  });
});
