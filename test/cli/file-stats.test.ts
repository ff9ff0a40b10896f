// What is seen of a file, and which differences count.

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FileStats, lookAt, sameStats } from '../../src/cli/file-stats.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-file-stats-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, mode = 0o644): string {
  const path = join(directory, name);
  writeFileSync(path, 'four');
  chmodSync(path, mode);
  return path;
}

describe('lookAt', () => {
  it.each([
    { mode: 0o755, executable: true, readonly: false },
    { mode: 0o444, executable: false, readonly: true },
    { mode: 0o500, executable: true, readonly: true },
    { mode: 0o677, executable: false, readonly: false },
  ])('tells the owner’s bits and the size: $mode', ({ mode, executable, readonly }) => {
    expect(lookAt(file('file', mode))).toMatchObject({ executable, readonly, size: 4 });
  });

  it('tells times finer than a millisecond', () => {
    const path = file('file');
    const at = (time: string) => {
      execFileSync('touch', ['-d', time, path]);
      return lookAt(path).mtime;
    };
    const first = at('2020-01-02T03:04:05.123456Z');
    expect(Math.floor(first)).toBe(Date.UTC(2020, 0, 2, 3, 4, 5, 123));
    expect(at('2020-01-02T03:04:05.123457Z')).toBeGreaterThan(first);
  });

  it('throws for what is no regular file, and does not follow links', () => {
    symlinkSync(file('file'), join(directory, 'link'));
    for (const name of ['link', 'absent', '.']) expect(() => lookAt(join(directory, name))).toThrow();
  });
});

describe('sameStats', () => {
  it('tells every difference', () => {
    const stats = lookAt(file('file'));
    expect(sameStats(stats, { ...stats })).toBe(true);
    const changes: Partial<FileStats>[] = [
      { size: 5 },
      { mtime: 1 },
      { ctime: 1 },
      { inode: 1 },
      { device: -1 },
      { executable: true },
      { readonly: true },
    ];
    for (const change of changes) {
      expect(sameStats(stats, { ...stats, ...change }), String(Object.keys(change))).toBe(false);
    }
  });
});
