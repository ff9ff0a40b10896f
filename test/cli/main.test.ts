// The commands as real processes against a real server: what they print, where, and with which exit code.

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatHash } from '../../src/base/digest.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { type CairnServerProcess, finished, runCairn, spawnCairn, startCairnServer } from '../support/cairn-process.js';
import { seededRandom } from '../support/random.js';

let directory: string;
let server: CairnServerProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-cli-'));
  server = await startCairnServer(['--data', join(directory, 'data')]);
});

afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

const run = (args: readonly string[], input?: string | Uint8Array) =>
  runCairn(args, { server: server.url, input, cwd: directory });

function blob(size: number, seed = size): Uint8Array {
  return seededRandom(seed).bytes(size);
}

function nameOf(bytes: Uint8Array): string {
  return formatHash(digestBlob(bytes).hash);
}

async function putBytes(bytes: Uint8Array): Promise<string> {
  const { code, stdout } = await run(['put', '-'], bytes);
  expect(code).toBe(exitCodes.ok);
  return stdout.split(' ')[0]!;
}

const absent = nameOf(blob(99));

describe('cairn', () => {
  it('explains itself and its exit codes', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).toBe(exitCodes.ok);
    for (const word of ['serve', 'put', 'get', 'missing', 'rebuild', 'Exit codes']) expect(stdout).toContain(word);
    for (const number of Object.values(exitCodes)) expect(stdout).toMatch(new RegExp(`^ +${number} `, 'm'));
  });

  it('starts each of its commands', async () => {
    const { stdout } = await runCairn(['--help'], { asInstalled: true });
    const listed = stdout.slice(stdout.indexOf('Commands:'), stdout.indexOf('Exit codes:'));
    const commands = listed.match(/^ {2}(?!help)[a-z]+/gm)!.map((name) => name.trim());
    expect(commands.length).toBeGreaterThan(15);
    for (const command of commands) {
      const { code, stdout: help, stderr } = await runCairn([command, '--help'], { asInstalled: true });
      expect({ command, code, stderr }).toEqual({ command, code: exitCodes.ok, stderr: '' });
      expect(help).toContain(`cairn ${command}`);
    }
  });

  it.each([
    { name: 'no such command', args: ['fly'] },
    { name: 'no such option', args: ['ls', '--fast'] },
    { name: 'no digest', args: ['get'] },
    { name: 'a digest that is none', args: ['get', 'blake3:12'] },
    { name: 'a range that is none', args: ['get', absent, '--range', '5'] },
    { name: 'jobs without a file', args: ['get', absent, '--jobs', '2'] },
    { name: 'an address that is none', args: ['ls', '--server', 'nowhere'] },
    { name: 'an address to listen on that is none', args: ['serve', '--listen', 'nowhere'] },
    { name: 'nothing to put', args: ['put'] },
    { name: 'standard input twice', args: ['put', '-', '-'] },
  ])('answers $name with the code for usage', async ({ args }) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: exitCodes.usage, stdout: '' });
    expect(stderr).not.toBe('');
  });

  it('tells that a server cannot be reached, also for a put of many', async () => {
    await writeFile(join(directory, 'some'), 'some');
    for (const args of [['ls'], ['put', 'some'], ['get', absent], ['stat', absent], ['rm', absent]]) {
      const { code, stderr } = await run([...args, '--server', 'http://127.0.0.1:1']);
      expect(code).toBe(exitCodes.unreachable);
      expect(stderr).toMatch(/^cairn: .*\n(put .*\n)?$/);
    }
  });

  it('takes the server from the option before the environment', async () => {
    const { code } = await runCairn(['ls', '--server', server.url], { server: 'http://127.0.0.1:1' });
    expect(code).toBe(exitCodes.ok);
    expect((await runCairn(['--server', server.url, 'ls'], { server: 'http://127.0.0.1:1' })).code).toBe(exitCodes.ok);
  });
});

describe('stat, ls, rm, path', () => {
  it('tell and delete blobs', async () => {
    const [a, b] = [blob(100), blob(200_000)];
    const [nameA, nameB] = [await putBytes(a), await putBytes(b)];
    expect([nameA, nameB]).toEqual([nameOf(a), nameOf(b)]);

    expect((await run(['stat', nameB, nameA.slice(7)])).stdout).toBe(`${nameB} 200000\n${nameA} 100\n`);
    const partly = await run(['stat', nameA, absent]);
    expect(partly).toMatchObject({ code: exitCodes.notFound, stdout: `${nameA} 100\n` });
    expect(partly.stderr).toContain(absent);
    expect((await run(['stat', '--json', nameA])).stdout).toBe(`{"digest":"${nameA}","size":100}\n`);

    const listed = (await run(['ls'])).stdout.split('\n').filter(Boolean);
    expect(listed).toEqual([...listed].sort());
    expect(listed).toContain(`${nameA} 100`);
    const objects = (await run(['ls', '--json'])).stdout.split('\n').filter(Boolean);
    expect(objects.map((line) => JSON.parse(line))).toContainEqual({ digest: nameB, size: 200_000 });

    expect(await run(['rm', nameA, absent])).toMatchObject({ code: exitCodes.notFound, stdout: `${nameA}\n` });
    expect(await run(['rm', '-f', absent])).toMatchObject({ code: exitCodes.ok, stdout: '', stderr: '' });
    expect((await run(['stat', nameA])).code).toBe(exitCodes.notFound);
    expect(await run(['rm', '--json', nameB])).toMatchObject({ code: 0, stdout: `{"digest":"${nameB}"}\n` });
  });

  it('print the file of a large blob, and say why a small one has none', async () => {
    const [small, large] = [await putBytes(blob(10)), await putBytes(blob(500_000))];
    const { code, stdout } = await run(['path', large]);
    expect(code).toBe(exitCodes.ok);
    expect(Buffer.compare(await readFile(stdout.trim()), blob(500_000))).toBe(0);
    expect(await run(['path', small])).toMatchObject({ code: exitCodes.failed, stdout: '' });
    expect((await run(['path', absent])).code).toBe(exitCodes.notFound);
    expect(JSON.parse((await run(['path', large, '--json'])).stdout)).toEqual({ digest: large, path: stdout.trim() });
  });
});

describe('missing', () => {
  it('passes on the lines of blobs that are not there, names and all', async () => {
    const present = `${await putBytes(blob(300))} 300`;
    const lines = [
      `${absent} 99 some name`,
      `${present} here`,
      `${present.replace(/300$/, '301')} other size`,
      absent.slice(7),
    ];
    const { code, stdout } = await run(['missing'], `${lines.slice(0, 3).join('\n')}\n`);
    expect({ code, stdout }).toEqual({ code: exitCodes.ok, stdout: `${lines[0]}\n${lines[2]}\n` });
    expect((await run(['missing', '--json'], lines[0]!)).stdout).toBe(`{"digest":"${absent}","size":99}\n`);
    expect(await run(['missing'], '')).toMatchObject({ code: 0, stdout: '' });
    expect((await run(['missing'], lines[3]!)).code).toBe(exitCodes.usage);
    expect((await run(['missing'], 'nonsense 5\n')).code).toBe(exitCodes.usage);
  });

  it('reads what put and ls print', async () => {
    const files = (await readdir(import.meta.dirname)).map((name) => join(import.meta.dirname, name));
    const { stdout } = await run(['put', ...files]);
    expect(stdout.trim().split('\n')).toHaveLength(files.length);
    expect(await run(['missing'], stdout)).toMatchObject({ code: 0, stdout: '' });
  });
});

describe('a reader that goes away', () => {
  it('ends ls and get without a word', async () => {
    const large = await putBytes(blob(8_000_000));
    const child = spawnCairn(['get', large], { server: server.url });
    child.stdout.once('data', () => child.stdout.destroy());
    const { code, stderr } = await finished(child);
    expect({ code, stderr }).toEqual({ code: exitCodes.outputClosed, stderr: '' });
  });
});
