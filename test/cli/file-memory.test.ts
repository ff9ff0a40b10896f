// What is remembered of files, and when it is not trusted.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestBlob } from '../../src/blake3/hasher.js';
import { FileMemory, type MemoryEntry, memoryPath, writeMemory } from '../../src/cli/file-memory.js';
import type { FileStats } from '../../src/cli/file-stats.js';
import { seededRandom } from '../support/random.js';

const directory = '/some/directory';
const startedAt = 1_700_000_000_000;
const second = 1000;
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cairn-memory-'));
  file = join(folder, 'deep', 'memory');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function stats(changes: Partial<FileStats> = {}): FileStats {
  const old = startedAt - 100 * second + 0.25;
  return {
    size: 3,
    mtime: old,
    ctime: old,
    inode: 2 ** 63,
    device: 5,
    executable: false,
    readonly: false,
    ...changes,
  };
}

function entry(path: string, changes: Partial<FileStats> = {}): MemoryEntry {
  const { executable, readonly } = stats(changes);
  return {
    item: { kind: 'file', path, digest: digestBlob(Buffer.from(path)), executable, readonly },
    stats: stats({ ...changes, size: Buffer.byteLength(path) }),
  };
}

const tree = digestBlob(Buffer.from('tree')).hash;
const entries: readonly MemoryEntry[] = [
  entry('a'),
  { item: { kind: 'directory', path: 'b' }, stats: undefined },
  entry('c', { executable: true }),
  { item: { kind: 'symlink', path: 'c-link', target: '../é' }, stats: undefined },
  entry('d/é\u{1f600}', { readonly: true, mtime: -5 }),
  { item: { kind: 'symlink', path: 'e', target: 'x' }, stats: undefined },
];

const write = (all = entries) => writeMemory(file, { directory, startedAt, tree, entries: all });

describe('FileMemory', () => {
  it('recalls what it was given, in order, and the rest', () => {
    write();
    const memory = FileMemory.read(file, directory)!;
    expect([memory.count, memory.tree]).toEqual([entries.length, tree]);
    expect(entries.map(({ item }) => memory.entry(memory.find(item.path)!))).toEqual(entries);
    const another = FileMemory.read(file, directory)!;
    expect(another.find('0')).toBeUndefined();
    expect(another.find('b0')).toBeUndefined();
    expect(another.find('c-link')).toBe(3);
    expect([...another.rest()]).toEqual([4, 5]);
    expect(another.find('e')).toBeUndefined();
    write([]);
    expect(FileMemory.read(file, directory)!.count).toBe(0);
  });

  it('counts for nothing when it is another directory’s, absent or damaged anywhere', () => {
    expect(FileMemory.read(file, directory)).toBeUndefined();
    write();
    expect(FileMemory.read(file, '/some/other')).toBeUndefined();
    const good = readFileSync(file);
    const random = seededRandom(3);
    for (let i = 0; i < good.length; i++) {
      const bad = Buffer.from(good);
      bad[i]! ^= 1 + random.below(255);
      writeFileSync(file, bad);
      expect(FileMemory.read(file, directory), `byte ${i}`).toBeUndefined();
    }
    for (const length of [0, 1, 127, 128, 129, good.length - 1]) {
      writeFileSync(file, good.subarray(0, length));
      expect(FileMemory.read(file, directory), `${length} bytes`).toBeUndefined();
    }
    writeFileSync(file, Buffer.concat([good, good]));
    expect(FileMemory.read(file, directory)).toBeUndefined();
    writeFileSync(file, good);
    expect(FileMemory.read(file, directory)).toBeDefined();
  });

  it('trusts no file whose last change is not well before the run that read it', () => {
    const cases: [string, Partial<FileStats>, boolean][] = [
      ['old', {}, true],
      ['same time', { mtime: startedAt, ctime: startedAt }, false],
      ['later', { ctime: startedAt + second }, false],
      ['later by mtime alone', { mtime: startedAt + second + 0.5 }, false],
      ['within a tick before', { ctime: startedAt - 50.25 }, false],
      ['before any tick', { ctime: startedAt - 150.25 }, true],
      ['whole seconds', { ctime: startedAt - second }, false],
      ['whole seconds, long ago', { ctime: startedAt - 3 * second }, true],
    ];
    write(cases.map(([name, changes]) => entry(name, changes)));
    const memory = FileMemory.read(file, directory)!;
    const trusted = [...memory.rest()].map((index) => memory.entry(index).stats !== undefined);
    expect(trusted).toEqual(cases.map(([, , trusts]) => trusts));
  });

  it('tells what is unchanged, and every difference', () => {
    const good = entry('file');
    const link: MemoryEntry = { item: { kind: 'symlink', path: 'link', target: 'x' }, stats: undefined };
    write([good, link, entry('racy', { ctime: startedAt })]);
    const memory = FileMemory.read(file, directory)!;
    const known = good.stats!;
    const same = (stats: FileStats) => memory.isSameFile(0, stats);
    expect(same(known)).toBe(true);
    const changes: Partial<FileStats>[] = [
      { size: 5 },
      { mtime: 1 },
      { ctime: 1 },
      { inode: 1 },
      { device: 1 },
      { executable: true },
      { readonly: true },
    ];
    for (const change of changes) expect(same({ ...known, ...change }), String(Object.keys(change))).toBe(false);
    expect(memory.isUnchanged(0, { kind: 'file', path: 'file' })).toBe(true);
    expect(memory.isUnchanged(0, { kind: 'directory', path: 'file' })).toBe(false);
    expect(memory.isUnchanged(1, { kind: 'symlink', path: 'link', target: 'x' })).toBe(true);
    expect(memory.isUnchanged(1, { kind: 'symlink', path: 'link', target: 'y' })).toBe(false);
    const racy = { ...stats({ ctime: startedAt }), size: 4 };
    expect(memory.isSameFile(2, racy)).toBe(false);
  });

  it('lies in the user’s cache, under a name of its own for each directory', () => {
    expect(memoryPath('/a', { XDG_CACHE_HOME: '/cache' })).toMatch(/^\/cache\/cairn\/sync\/[0-9a-f]{64}\.memory$/);
    expect(memoryPath('/a', { XDG_CACHE_HOME: '/cache' })).not.toBe(memoryPath('/b', { XDG_CACHE_HOME: '/cache' }));
    expect(memoryPath('/a', { XDG_CACHE_HOME: 'relative' })).toMatch(/\/\.cache\/cairn\//);
  });
});
