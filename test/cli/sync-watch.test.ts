// cairn sync --watch: a line for each new tree, for as long as it runs.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { finished, runCairn, spawnCairn, startCairnServer } from '../support/cairn-process.js';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-watch-test-'));
  process.env.XDG_CACHE_HOME = join(directory, 'cache');
});

afterAll(() => rm(directory, { recursive: true, force: true }));

async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + 20_000; !condition(); await sleep(20)) {
    if (performance.now() > end) throw new Error('nothing came');
  }
}

describe('sync --watch', () => {
  it('prints each new tree, waits for a server that restarts, and ends with 130', { timeout: 60_000 }, async () => {
    const work = join(directory, 'work');
    await mkdir(work);
    await writeFile(join(work, 'a'), 'a');
    let server = await startCairnServer(['--data', join(directory, 'data')]);
    const { port } = new URL(server.url);
    const child = spawnCairn(['sync', work, '--watch', '--exclude', '*.tmp'], { server: server.url });
    let out = '';
    let err = '';
    child.stdout.on('data', (bytes) => {
      out += String(bytes);
    });
    child.stderr.on('data', (bytes) => {
      err += String(bytes);
    });
    const end = finished(child);
    const lines = () => out.split('\n').slice(0, -1);
    const now = async (url: string) =>
      (await runCairn(['sync', work, '--exclude', '*.tmp'], { server: url })).stdout.trim();
    try {
      await until(() => lines().length === 1);
      await writeFile(join(work, 'a'), 'changed');
      await until(() => lines().length === 2);
      await mkdir(join(work, 'new/deep'), { recursive: true });
      await until(() => lines().length === 3);
      // In a directory that was not there when the watch began.
      await writeFile(join(work, 'new/deep/file'), 'file');
      await until(() => lines().length >= 4);
      expect(lines().at(-1)).toBe(await now(server.url));
      // Neither what is excluded nor what is written as it was makes a new tree.
      const count = lines().length;
      await writeFile(join(work, 'x.tmp'), 'x');
      await writeFile(join(work, 'a'), 'changed');
      await sleep(700);
      expect(lines()).toHaveLength(count);

      await server.stop();
      await writeFile(join(work, 'b'), 'while the server is away');
      await until(() => err.includes('the server is away'));
      server = await startCairnServer(['--data', join(directory, 'data'), '--listen', `127.0.0.1:${port}`]);
      await until(() => lines().length > count);
      expect(lines().at(-1)).toBe(await now(`http://127.0.0.1:${port}`));
      child.kill('SIGINT');
      expect((await end).code).toBe(exitCodes.interrupted);
    } finally {
      child.kill('SIGKILL');
      await end;
      await server.stop();
    }
  });

  it('fails at once when there is no server to begin with', async () => {
    const { code } = await runCairn(['sync', directory, '--watch'], { server: 'http://127.0.0.1:1' });
    expect(code).toBe(exitCodes.unreachable);
  });
});
