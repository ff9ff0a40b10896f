import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatHash } from '../../src/base/digest.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { type CairnServerProcess, finished, runCairn, spawnCairn, startCairnServer } from '../support/cairn-process.js';
import { type CuttingProxy, startCuttingProxy } from '../support/cutting-proxy.js';
import { seededRandom } from '../support/random.js';

const bytes = seededRandom(3).bytes(30_000_000);
const small = Buffer.from('a small blob');
const name = formatHash(digestBlob(bytes).hash);
const smallName = formatHash(digestBlob(small).hash);
const emptyName = formatHash(digestBlob(new Uint8Array(0)).hash);

let directory: string;
let server: CairnServerProcess;
let proxy: CuttingProxy;
let work: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-get-test-'));
  server = await startCairnServer(['--data', join(directory, 'data')]);
  await runCairn(['put', '-'], { server: server.url, input: bytes });
  await runCairn(['put', '-'], { server: server.url, input: small });
});

afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  work = await mkdtemp(join(directory, 'work-'));
  proxy = await startCuttingProxy(server.url);
  return () => proxy.close();
});

const run = (args: readonly string[]) => runCairn(['get', ...args], { server: proxy.url, cwd: work });

describe('get', () => {
  it('writes a blob to standard output, and nothing else', async () => {
    for (const [which, want] of [
      [name, bytes],
      [smallName.slice(7), small],
      [emptyName, new Uint8Array(0)],
    ] as const) {
      const { code, bytes: got, stderr } = await run([which]);
      expect({ code, stderr }).toEqual({ code: exitCodes.ok, stderr: '' });
      expect(Buffer.compare(got, want)).toBe(0);
    }
  });

  it.each([
    { range: '0:5', want: [0, 5] },
    { range: '29999990:', want: [29_999_990, 30_000_000] },
    { range: '12345678:9999999', want: [12_345_678, 22_345_677] },
    { range: '30000000:0', want: [0, 0] },
  ])('reads the range $range', async ({ range, want }) => {
    const { code, bytes: got } = await run([name, '--range', range]);
    expect(code).toBe(exitCodes.ok);
    expect(Buffer.compare(got, bytes.subarray(...want))).toBe(0);
    expect((await run([name, '--range', range, '--jobs', '3', '-o', 'part'])).code).toBe(exitCodes.ok);
    expect(Buffer.compare(await readFile(join(work, 'part')), bytes.subarray(...want))).toBe(0);
  });

  it('says what is not there or outside', async () => {
    expect((await run([formatHash(digestBlob(Buffer.from('no')).hash)])).code).toBe(exitCodes.notFound);
    expect((await run([name, '--range', '30000001:'])).code).toBe(exitCodes.usage);
    expect((await run([name, '--range', '0:30000001'])).code).toBe(exitCodes.usage);
    expect((await run([name, '-o', 'no-folder/file'])).code).toBe(exitCodes.failed);
  });

  it.each(['1', '4'])('writes a file with %s jobs, over what was there, and leaves nothing beside it', async (jobs) => {
    await writeFile(join(work, 'file'), 'old');
    const { code, stdout, stderr } = await run([name, '--jobs', jobs, '-o', 'file']);
    expect({ code, stdout, stderr }).toEqual({ code: exitCodes.ok, stdout: '', stderr: '' });
    expect(Buffer.compare(await readFile(join(work, 'file')), bytes)).toBe(0);
    expect(await readdir(work)).toEqual(['file']);
    const json = await run([smallName, '--jobs', jobs, '-o', 'file', '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ digest: smallName, size: small.length });
  });

  it.each(['1', '3'])('goes on after the connection broke, with %s jobs', async (jobs) => {
    proxy.cutAfterBytes = 11_000_000;
    const { code, stderr } = await run([name, '--jobs', jobs, '-o', 'file']);
    expect({ code, stderr }).toEqual({ code: exitCodes.ok, stderr: '' });
    expect(Buffer.compare(await readFile(join(work, 'file')), bytes)).toBe(0);
    expect(proxy.connectionCount).toBeGreaterThan(1);
  });

  it('goes on to standard output, too', async () => {
    proxy.cutAfterBytes = 11_000_000;
    const { code, bytes: got } = await run([name]);
    expect(code).toBe(exitCodes.ok);
    expect(Buffer.compare(got, bytes)).toBe(0);
  });

  it.each(['1', '3'])('interrupted with %s jobs, keeps the old file and nothing else', async (jobs) => {
    await writeFile(join(work, 'file'), 'old');
    // The proxy stops passing bytes on, so the command is surely in the middle.
    proxy.stallAfterBytes = 5_000_000;
    const child = spawnCairn(['get', name, '--jobs', jobs, '-o', 'file'], { server: proxy.url, cwd: work });
    const ended = finished(child);
    await expect.poll(async () => (await readdir(work)).length, { timeout: 20_000 }).toBe(2);
    child.kill('SIGINT');
    const { code, stdout, stderr } = await ended;
    expect({ code, stdout, stderr }).toEqual({ code: exitCodes.interrupted, stdout: '', stderr: '' });
    expect(await readdir(work)).toEqual(['file']);
    expect(await readFile(join(work, 'file'), 'utf8')).toBe('old');
  });
});
