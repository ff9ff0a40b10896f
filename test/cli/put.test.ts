import { appendFile, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatHash } from '../../src/base/digest.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { type CairnServerProcess, finished, runCairn, spawnCairn, startCairnServer } from '../support/cairn-process.js';
import { startCuttingProxy } from '../support/cutting-proxy.js';
import { seededRandom } from '../support/random.js';

let directory: string;
let server: CairnServerProcess;
let work: string;
let temporary: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-put-test-'));
  server = await startCairnServer(['--data', join(directory, 'data')]);
});

afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  work = await mkdtemp(join(directory, 'work-'));
  temporary = await mkdtemp(join(directory, 'temporary-'));
});

const run = (args: readonly string[], input?: string | Uint8Array) =>
  runCairn(args, { server: server.url, input, cwd: work, temporary });

function lineOf(name: string, bytes: Uint8Array): string {
  return `${formatHash(digestBlob(bytes).hash)} ${bytes.length} ${name}`;
}

/** Files of many sizes, new ones for each seed; the lines put should print for them, in order. */
async function makeFiles(count: number, seed: number): Promise<{ names: string[]; lines: string[] }> {
  const random = seededRandom(seed);
  const names: string[] = [];
  const lines: string[] = [];
  for (let i = 0; i < count; i++) {
    const name = `file ${i}`;
    const bytes = random.bytes(i % 50 === 3 ? random.between(100_000, 3_000_000) : random.between(0, 3000));
    await writeFile(join(work, name), bytes);
    names.push(name);
    lines.push(lineOf(name, bytes));
  }
  return { names, lines };
}

const temporaryLeft = () => readdir(temporary);

describe('put', () => {
  it('prints a line for each file in argument order and sends what is missing', async () => {
    const { names, lines } = await makeFiles(300, 1);
    const first = await run(['put', ...names]);
    expect(first.stdout.trimEnd().split('\n')).toEqual(lines);
    expect(first.code).toBe(exitCodes.ok);
    expect(first.stderr).toMatch(/^put 300 files: \d+ uploaded \(.*\), \d+ already there, in .* s\n$/);
    const second = await run(['put', ...names]);
    expect(second.stdout).toBe(first.stdout);
    expect(second.stderr).toMatch(/^put 300 files: 0 uploaded \(0 B\), 300 already there/);
  });

  it('speaks JSON', async () => {
    const bytes = Buffer.from('json');
    await writeFile(join(work, 'a'), bytes);
    const objectOf = async () => JSON.parse((await run(['put', '--json', 'a'])).stdout);
    const digest = formatHash(digestBlob(bytes).hash);
    expect(await objectOf()).toEqual({ digest, size: 4, name: 'a', status: 'uploaded' });
    expect(await objectOf()).toEqual({ digest, size: 4, name: 'a', status: 'present' });
    const { stderr } = await run(['put', '--json', 'gone']);
    const notes = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(notes[0]).toMatchObject({ name: 'gone', error: { code: 'failed_precondition' } });
    expect(notes[1]).toMatchObject({ uploaded: 0, present: 0 });
  });

  it('takes standard input of any size, among files', async () => {
    await writeFile(join(work, 'a'), 'first');
    await writeFile(join(work, 'b'), 'last');
    for (const size of [0, 10, 5_000_000]) {
      const bytes = seededRandom(size).bytes(size);
      const { code, stdout } = await run(['put', 'a', '-', 'b'], bytes);
      expect(code).toBe(exitCodes.ok);
      expect(stdout.split('\n')[1]).toBe(lineOf('-', bytes));
    }
    expect(await temporaryLeft()).toEqual([]);
  });

  it('refuses directories and what is gone, with a message each, and stores the rest', async () => {
    await mkdir(join(work, 'folder'));
    await writeFile(join(work, 'good'), 'good');
    await symlink('good', join(work, 'link'));
    const { code, stdout, stderr } = await run(['put', 'folder', 'good', 'gone', 'link', '/dev/null']);
    expect(code).toBe(exitCodes.failed);
    const good = Buffer.from('good');
    expect(stdout).toBe(`${lineOf('good', good)}\n${lineOf('link', good)}\n`);
    expect(stderr).toMatch(/folder is a directory.*\n/);
    expect(stderr).toMatch(/cannot read gone: .*ENOENT/);
    expect(stderr).toMatch(/\/dev\/null is no regular file/);
  });

  it('reads names from a file or from standard input, by line or by NUL', async () => {
    const { names, lines } = await makeFiles(20, 2);
    await writeFile(join(work, 'list'), names.join('\n'));
    expect((await run(['put', '--files-from', 'list'])).stdout.trimEnd().split('\n')).toEqual(lines);
    const nul = await run(['put', '-0', '--files-from', '-'], `${names.join('\0')}\0`);
    expect(nul.stdout.trimEnd().split('\n')).toEqual(lines);
    expect((await run(['put', '--files-from', 'no-list'])).code).toBe(exitCodes.failed);
    const odd = 'two\nlines';
    await writeFile(join(work, odd), 'odd');
    expect((await run(['put', '-0', '--files-from', '-'], odd)).stdout).toBe(`${lineOf(odd, Buffer.from('odd'))}\n`);
  });

  it('takes tens of thousands of arguments', async () => {
    await writeFile(join(work, 'x'), 'same');
    const { code, stdout } = await run(['put', ...Array.from({ length: 30_000 }, () => 'x')]);
    expect(code).toBe(exitCodes.ok);
    expect(stdout.length).toBe(30_000 * `${lineOf('x', Buffer.from('same'))}\n`.length);
  });

  it('hashes a file that changed meanwhile once more, and gives up when it keeps changing', async () => {
    const names = [];
    for (let i = 0; i < 20; i++) {
      names.push(`grows ${i}`);
      await writeFile(join(work, names[i]!), seededRandom(900 + i).bytes(1000));
    }
    // Large files before it keep the transfers busy, so that the growing ones are read well after they were hashed.
    let stop = false;
    const growing = (async () => {
      while (!stop) for (const name of names) await appendFile(join(work, name), 'more');
    })();
    const { code, stdout, stderr } = await run(['put', ...names]);
    stop = true;
    await growing;
    const failed = stderr.match(/keeps changing while it is read/g)?.length ?? 0;
    expect(stdout.split('\n').filter(Boolean)).toHaveLength(names.length - failed);
    expect(code).toBe(failed > 0 ? exitCodes.failed : exitCodes.ok);
    expect((await run(['put', ...names])).code).toBe(exitCodes.ok);
  });
});

describe('put, interrupted', () => {
  it('ends with its code and leaves nothing half-written on either side', async () => {
    const bytes = seededRandom(77).bytes(50_000_000);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const child = spawnCairn(['put', '-'], { server: server.url, temporary });
      child.stdin.on('error', () => {});
      child.stdin.write(bytes.subarray(0, 1_000_000));
      await expect.poll(temporaryLeft, { timeout: 20_000 }).toHaveLength(1);
      child.kill(signal);
      const { code, stdout, stderr } = await finished(child);
      expect({ code, stdout, stderr }).toEqual({
        code: signal === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated,
        stdout: '',
        stderr: '',
      });
      expect(await temporaryLeft()).toEqual([]);
    }
    await writeFile(join(work, 'large'), bytes);
    const proxy = await startCuttingProxy(server.url);
    // Enough for the questions before; then the server's leave to send more no longer arrives, and the upload stands.
    proxy.stallAfterBytes = 3000;
    const child = spawnCairn(['put', 'large'], { server: proxy.url, cwd: work });
    const ended = finished(child);
    await expect.poll(() => proxy.bytesToServer, { timeout: 20_000 }).toBeGreaterThan(200_000);
    child.kill('SIGINT');
    const { code, stdout, stderr } = await ended;
    await proxy.close();
    expect({ code, stdout, stderr }).toEqual({ code: exitCodes.interrupted, stdout: '', stderr: '' });
    expect((await run(['stat', formatHash(digestBlob(bytes).hash)])).code).toBe(exitCodes.notFound);
    expect((await run(['put', 'large'])).stdout).toBe(`${lineOf('large', bytes)}\n`);
  });
});
