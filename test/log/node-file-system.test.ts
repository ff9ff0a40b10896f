import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nodeFileSystem } from '../../src/log/node-file-system.js';
import { seededRandom } from '../support/random.js';

const storage = expect.objectContaining({ code: 'storage' });
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-fs-'));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(directory, { recursive: true });
});

describe('files', () => {
  it('are written in pieces at a position, read back, and short at their end', async () => {
    const file = await nodeFileSystem.create(join(directory, 'a'));
    const bytes = seededRandom(1).bytes(100_000);
    await file.write([new Uint8Array(0), bytes.subarray(0, 10), bytes.subarray(10, 70_000)], 5);
    await file.write([bytes.subarray(70_000)], 70_005);
    await file.write([], 0);
    await file.sync();
    expect(await file.size()).toBe(100_005);
    expect(file.fd).toBeGreaterThan(0);
    const target = new Uint8Array(200_000);
    expect(await file.read(target, 5)).toBe(100_000);
    expect(Buffer.compare(target.subarray(0, 100_000), bytes)).toBe(0);
    await file.truncate(7);
    await file.sync();
    expect(await file.read(target, 5)).toBe(2);
    await file.close();
  });

  it('are written and read whole although the system does less at a time', async () => {
    const { read, writev } = fs;
    vi.spyOn(fs, 'writev').mockImplementation(((fd: number, pieces: Uint8Array[], at: number, done: () => void) =>
      writev(fd, [pieces[0]!.subarray(0, 700)], at, done)) as typeof fs.writev);
    vi.spyOn(fs, 'read').mockImplementation(((
      fd: number,
      target: Uint8Array,
      at: number,
      length: number,
      position: number,
      done: () => void,
    ) => read(fd, target, at, Math.min(length, 900), position, done)) as typeof fs.read);
    const file = await nodeFileSystem.create(join(directory, 'a'));
    const bytes = seededRandom(2).bytes(10_000);
    await file.write([bytes.subarray(0, 3), bytes.subarray(3, 5000), bytes.subarray(5000)], 0);
    const target = new Uint8Array(10_000);
    expect(await file.read(target, 0)).toBe(10_000);
    expect(Buffer.compare(target, bytes)).toBe(0);
    await file.close();
  });

  it('are created once, opened when they exist, renamed and removed', async () => {
    const path = join(directory, 'a');
    expect(await nodeFileSystem.open(path, 'read')).toBeUndefined();
    await (await nodeFileSystem.create(path)).close();
    await expect(nodeFileSystem.create(path)).rejects.toEqual(storage);
    await nodeFileSystem.rename(path, join(directory, 'b'));
    const file = await nodeFileSystem.open(join(directory, 'b'), 'write');
    await file!.write([Uint8Array.of(1)], 0);
    await file!.close();
    const reader = await nodeFileSystem.open(join(directory, 'b'), 'read');
    await expect(reader!.write([Uint8Array.of(1)], 0)).rejects.toEqual(storage);
    await reader!.close();
    expect(await nodeFileSystem.list(directory)).toEqual(['b']);
    await nodeFileSystem.remove(join(directory, 'b'));
    await nodeFileSystem.remove(join(directory, 'b'));
    await nodeFileSystem.syncDirectory(directory);
    expect(await nodeFileSystem.list(directory)).toEqual([]);
    expect(await nodeFileSystem.list(join(directory, 'none'))).toEqual([]);
  });

  it.each([
    { errno: 'ENOSPC', code: 'no_space' },
    { errno: 'EDQUOT', code: 'no_space' },
    { errno: 'EIO', code: 'storage' },
  ])('fail with $code for $errno, the cause kept', async ({ errno, code }) => {
    const file = await nodeFileSystem.create(join(directory, 'a'));
    const cause = Object.assign(new Error(errno), { code: errno });
    vi.spyOn(fs, 'writev').mockImplementation(((...args: unknown[]) =>
      (args.at(-1) as (error: Error) => void)(cause)) as typeof fs.writev);
    await expect(file.write([Uint8Array.of(1)], 0)).rejects.toMatchObject({ code, cause });
    await file.close();
  });
});

describe('directories', () => {
  it('are made with their parents, and removed with all in them', async () => {
    const deep = join(directory, 'a/b/c');
    const synced = vi.spyOn(fs, 'fsync');
    await nodeFileSystem.makeDirectory(deep);
    // c in b, b in a, a in the temporary directory.
    expect(synced).toHaveBeenCalledTimes(3);
    await nodeFileSystem.makeDirectory(deep);
    await (await nodeFileSystem.create(join(deep, 'file'))).close();
    await nodeFileSystem.removeDirectory(join(directory, 'a'));
    await nodeFileSystem.removeDirectory(join(directory, 'a'));
    expect(await nodeFileSystem.list(directory)).toEqual([]);
  });
});

describe('a lock', () => {
  it('is held by one, until released', async () => {
    const path = join(directory, 'lock');
    const held = await nodeFileSystem.lock(path);
    expect(held).toBeDefined();
    expect(await nodeFileSystem.lock(path)).toBeUndefined();
    await held!.release();
    const again = await nodeFileSystem.lock(path);
    expect(again).toBeDefined();
    await again!.release();
  });

  it('keeps other processes out too', async () => {
    const path = join(directory, 'lock');
    const addon = createRequire(import.meta.url).resolve('fs-native-extensions');
    const script = `console.log(require(${JSON.stringify(addon)}).tryLock(require('fs').openSync(${JSON.stringify(path)}, 'a+')))`;
    const tryElsewhere = async () => (await promisify(execFile)(process.execPath, ['-e', script])).stdout.trim();
    const held = await nodeFileSystem.lock(path);
    expect(await tryElsewhere()).toBe('false');
    await held!.release();
    expect(await tryElsewhere()).toBe('true');
  });
});

describe('a process that has no descriptor left', () => {
  it.each(['EMFILE', 'ENFILE'])('is told so, since that passes (%s)', async (code) => {
    vi.spyOn(fs, 'open').mockImplementation(((
      _path: string,
      _flags: string,
      _mode: number,
      done: (error: Error) => void,
    ) => done(Object.assign(new Error(`${code}: too many open files`), { code }))) as typeof fs.open);
    const overloaded = expect.objectContaining({ code: 'overloaded' });
    await expect(nodeFileSystem.open(join(directory, 'a'), 'read')).rejects.toThrow(overloaded);
    await expect(nodeFileSystem.syncDirectory(directory)).rejects.toThrow(overloaded);
  });
});
