// Reading files that others write at the same time. The worker's function runs in this thread here.

import { execFileSync } from 'node:child_process';
import { appendFileSync, lstatSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { valueSymbol } from 'piscina';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestBlob } from '../../src/blake3/hasher.js';
import { type ReadAnswer, readFiles } from '../../src/cli/sync-worker.js';
import { seededRandom } from '../support/random.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-sync-worker-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, bytes: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}

async function read(paths: readonly string[], sizes: readonly number[], keepBytes = 1000): Promise<ReadAnswer> {
  const moved = await readFiles({ paths, sizes: Float64Array.from(sizes), keepBytes });
  return (moved as unknown as Record<symbol, ReadAnswer>)[valueSymbol]!;
}

const hashAt = ({ hashes }: ReadAnswer, i: number) => hashes.subarray(32 * i, 32 * i + 32);

describe('readFiles', () => {
  it('gives digests, times and the bytes for which there is room', async () => {
    const contents = [10, 0, 900, 200, 2_000_000].map((size) => seededRandom(size).bytes(size));
    const paths = contents.map((bytes, i) => file(`${i}`, bytes));
    const sizes = contents.map(({ length }) => length);
    const answer = await read(paths, sizes);
    expect(answer.failures.size).toBe(0);
    for (const [i, bytes] of contents.entries()) {
      expect(hashAt(answer, i)).toEqual(digestBlob(bytes).hash);
      const { mtimeNs, ctimeNs, ino, dev } = lstatSync(paths[i]!, { bigint: true });
      const { mtimes, ctimes, inodes, devices } = answer;
      expect([mtimes[i], ctimes[i], inodes[i], devices[i]]).toEqual([mtimeNs, ctimeNs, ino, dev]);
    }
    expect([...answer.sizes]).toEqual(sizes);
    expect([...answer.keptAt]).toEqual([0, 10, 10, -1, -1]);
    expect(answer.kept.subarray(10, 910)).toEqual(contents[2]);
  });

  it('reads a file that has another size than it had, small or large by now', async () => {
    const contents = [100, 3_000_000, 50].map((size) => seededRandom(size).bytes(size));
    const paths = contents.map((bytes, i) => file(`${i}`, bytes));
    const answer = await read(paths, [5_000_000, 10, 0]);
    expect(answer.failures.size).toBe(0);
    for (const [i, bytes] of contents.entries()) expect(hashAt(answer, i)).toEqual(digestBlob(bytes).hash);
  });

  it('reads a large file again that grew meanwhile, and gives up when it never stops', async () => {
    const path = file('large', new Uint8Array(20_000_000));
    let growths = 0;
    const grow = (most: number) => {
      const step = () => {
        if (growths++ >= most) return;
        appendFileSync(path, 'x');
        setImmediate(step);
      };
      growths = 0;
      setImmediate(step);
    };
    grow(2);
    const once = await read([path], [20_000_000]);
    expect(once.sizes[0]).toBe(20_000_002);
    grow(Number.POSITIVE_INFINITY);
    const never = await read([path], [20_000_002]);
    growths = Number.POSITIVE_INFINITY;
    expect(never.failures.get(0)).toBe('it keeps changing while it is read');
  });

  it('follows no link and waits for no pipe that took a file’s place', async () => {
    const target = file('target', new Uint8Array(5));
    const link = join(directory, 'link');
    symlinkSync(target, link);
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const { failures } = await read(
      [link, pipe, join(directory, 'absent'), target, link, pipe],
      [5, 0, 1, 5, 2e6, 2e6],
    );
    expect([...failures.keys()]).toEqual([0, 1, 2, 4, 5]);
    expect(failures.get(0)).toMatch(/ELOOP/);
    expect(failures.get(1)).toBe('it is no regular file any more');
    expect(failures.get(2)).toMatch(/ENOENT/);
  });
});
