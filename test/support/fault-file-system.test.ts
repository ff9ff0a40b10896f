// The fake is what the crash suites lean on, so it is held to its own words.

import { describe, expect, it } from 'vitest';
import { CrashError, FaultFileSystem } from './fault-file-system.js';

const seeds = Array.from({ length: 200 }, (_, seed) => seed);

async function bytesOf(fs: FaultFileSystem, path: string): Promise<Uint8Array | undefined> {
  const file = await fs.open(path, 'read');
  if (file === undefined) return undefined;
  const bytes = new Uint8Array(await file.size());
  await file.read(bytes, 0);
  return bytes;
}

/** Every different outcome of an inspection after a crash, over many seeds. */
async function outcomes<T>(
  fs: FaultFileSystem,
  inspect: (crashed: FaultFileSystem) => Promise<T>,
): Promise<Set<string>> {
  const seen = new Set<string>();
  for (const seed of seeds) seen.add(JSON.stringify(await inspect(fs.crash(seed))));
  return seen;
}

async function durableFile(fs: FaultFileSystem, path: string, bytes: Uint8Array) {
  const file = await fs.create(path);
  await file.write([bytes], 0);
  await file.sync();
  await fs.syncDirectory('/d');
  return file;
}

async function withDirectory(): Promise<FaultFileSystem> {
  const fs = new FaultFileSystem();
  await fs.makeDirectory('/d');
  return fs;
}

describe('bytes', () => {
  it('that were synced survive; others in any choice of sectors', async () => {
    const fs = await withDirectory();
    const file = await durableFile(fs, '/d/a', new Uint8Array(2048).fill(1));
    expect(await outcomes(fs, async (left) => [...((await bytesOf(left, '/d/a')) ?? [])])).toHaveProperty('size', 1);
    await file.write([new Uint8Array(1024).fill(2), new Uint8Array(500).fill(2)], 300);
    const seen = await outcomes(fs, async (left) => {
      const bytes = (await bytesOf(left, '/d/a'))!;
      expect([...bytes.subarray(0, 300), ...bytes.subarray(1824)].every((byte) => byte === 1)).toBe(true);
      return [300, 511, 512, 1023, 1024, 1535, 1536, 1823].map((at) => bytes[at]);
    });
    // Four sectors, each as a whole: all sixteen choices and no other.
    expect(seen.size).toBe(16);
    for (const outcome of seen) {
      const pairs = JSON.parse(outcome) as number[];
      for (let i = 0; i < 8; i += 2) expect(pairs[i]).toBe(pairs[i + 1]);
    }
  });

  it('of a failed sync are kept or lost at once, and no later sync helps', async () => {
    const lost = new Set<boolean>();
    for (const seed of seeds) {
      const fs = new FaultFileSystem(seed);
      await fs.makeDirectory('/d');
      const file = await durableFile(fs, '/d/a', Uint8Array.of(1));
      await file.write([Uint8Array.of(2)], 0);
      fs.inject = () => 'io_error';
      await expect(file.sync()).rejects.toMatchObject({ code: 'storage' });
      fs.inject = () => undefined;
      await file.sync();
      expect(await bytesOf(fs, '/d/a')).toEqual(Uint8Array.of(2));
      lost.add((await bytesOf(fs.crash(seed), '/d/a'))![0] === 1);
    }
    expect(lost.size).toBe(2);
  });

  it('of a failed write are the first ones', async () => {
    const fs = await withDirectory();
    const file = await fs.create('/d/a');
    fs.inject = ({ name }) => (name === 'write' ? 'no_space' : undefined);
    await expect(file.write([new Uint8Array(100).fill(1)], 0)).rejects.toMatchObject({ code: 'no_space' });
    const bytes = (await bytesOf(fs, '/d/a'))!;
    expect(bytes.length).toBeLessThanOrEqual(100);
    expect(bytes.every((byte) => byte === 1)).toBe(true);
  });
});

describe('names', () => {
  it('appear, move and go for good only when their directory was synced', async () => {
    const names = async (fs: FaultFileSystem) => (await fs.list('/d')).sort();
    const fs = await withDirectory();
    await fs.create('/d/a');
    expect(await outcomes(fs, names)).toEqual(new Set(['[]', '["a"]']));
    await fs.syncDirectory('/d');
    await fs.rename('/d/a', '/d/b');
    expect(await outcomes(fs, names)).toEqual(new Set(['["a"]', '["b"]']));
    await fs.syncDirectory('/d');
    await fs.remove('/d/b');
    expect(await outcomes(fs, names)).toEqual(new Set(['["b"]', '[]']));
    await fs.syncDirectory('/d');
    expect(await outcomes(fs, names)).toEqual(new Set(['[]']));
  });

  it('that move between directories need both synced', async () => {
    const fs = await withDirectory();
    await fs.makeDirectory('/e');
    await durableFile(fs, '/d/a', Uint8Array.of(1));
    await fs.rename('/d/a', '/e/a');
    const names = async (left: FaultFileSystem) => [await left.list('/d'), await left.list('/e')];
    expect((await outcomes(fs, names)).size).toBe(4);
    await fs.syncDirectory('/e');
    expect((await outcomes(fs, names)).size).toBe(2);
    await fs.syncDirectory('/d');
    expect(await outcomes(fs, names)).toEqual(new Set(['[[],["a"]]']));
  });

  it('inside a removed directory stay gone once the directory above was synced', async () => {
    const fs = await withDirectory();
    await fs.create('/d/a');
    await fs.removeDirectory('/d');
    await fs.syncDirectory('/');
    expect(await outcomes(fs, async (left) => left.paths())).toEqual(new Set(['[]']));
  });
});

describe('a stopped machine', () => {
  it('answers nothing, and has done the last operation at most', async () => {
    const fs = await withDirectory();
    const file = await durableFile(fs, '/d/a', Uint8Array.of(1));
    await file.write([Uint8Array.of(2)], 0);
    const last = fs.operations + 1;
    fs.inject = ({ number }) => (number === last ? 'crash' : undefined);
    await expect(file.sync()).rejects.toBeInstanceOf(CrashError);
    await expect(file.read(new Uint8Array(1), 0)).rejects.toBeInstanceOf(CrashError);
    await expect(fs.list('/d')).rejects.toBeInstanceOf(CrashError);
    const seen = await outcomes(fs, async (left) => (await bytesOf(left, '/d/a'))![0]);
    expect(seen).toEqual(new Set(['1', '2']));
  });

  it('holds no lock any more', async () => {
    const fs = await withDirectory();
    const held = await fs.lock('/d/lock');
    expect(await fs.lock('/d/lock')).toBeUndefined();
    expect(await fs.crash(1).lock('/d/lock')).toBeDefined();
    await held!.release();
    expect(await fs.lock('/d/lock')).toBeDefined();
  });
});
