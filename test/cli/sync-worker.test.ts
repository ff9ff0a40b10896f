// Reading files that others write at the same time. The worker's function runs in this thread here.

import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { valueSymbol } from 'piscina';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { frameHeaderBytes } from '../../src/base/message-frame.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { lookAt } from '../../src/cli/file-stats.js';
import { fileMarks, type ReadAnswer } from '../../src/cli/read-answer.js';
import { readFiles } from '../../src/cli/sync-worker.js';
import { BatchWriteRequestSchema } from '../../src/gen/cairn/v1/blob_service_pb.js';
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

async function read(paths: readonly string[], spare?: ArrayBuffer): Promise<ReadAnswer> {
  const moved = await readFiles({ paths: paths.join('\0'), spare });
  return (moved as unknown as Record<symbol, ReadAnswer>)[valueSymbol]!;
}

const hashAt = ({ hashes }: ReadAnswer, i: number) => hashes.subarray(32 * i, 32 * i + 32);

const dataIn = ({ frame }: ReadAnswer) =>
  fromBinary(BatchWriteRequestSchema, frame.subarray(frameHeaderBytes)).items.map(({ data }) => data);

/** Files of these sizes. */
function files(sizes: readonly number[]): { readonly contents: readonly Uint8Array[]; readonly paths: string[] } {
  const contents = sizes.map((size, i) => seededRandom(size + i).bytes(size));
  return { contents, paths: contents.map((bytes, i) => file(`${i}`, bytes)) };
}

describe('readFiles', () => {
  it('gives digests, sizes, times and modes, and packs what is small', async () => {
    const { contents, paths } = files([10, 0, 900, 65_536, 65_537, 300_000]);
    chmodSync(paths[2]!, 0o555);
    const answer = await read(paths);
    expect([answer.count, answer.failures.size]).toEqual([6, 0]);
    for (const [i, bytes] of contents.entries()) {
      expect(hashAt(answer, i)).toEqual(digestBlob(bytes).hash);
      const { size, mtime, ctime, inode, device } = lookAt(paths[i]!);
      const column = (number: number) => answer.numbers[6 * number + i];
      expect([0, 1, 2, 3, 4].map(column)).toEqual([size, mtime, ctime, inode, device]);
    }
    const { packed, executable, readonly } = fileMarks;
    expect([...answer.marks]).toEqual([packed, packed, packed + executable + readonly, packed, 0, 0]);
    expect(dataIn(answer)).toEqual(contents.slice(0, 4));
  });

  it('packs into memory that was used before', async () => {
    const { contents, paths } = files([3000, 10]);
    const spare = (await read(paths)).frame.buffer as ArrayBuffer;
    const answer = await read(paths.toReversed(), spare);
    expect(answer.frame.buffer).toBe(spare);
    expect(dataIn(answer)).toEqual(contents.toReversed());
  });

  it('ends in front of a large file, which has a task of its own', async () => {
    const { contents, paths } = files([5, 2_000_000, 7]);
    expect(await read(paths)).toMatchObject({ count: 1 });
    const answer = await read(paths.slice(1));
    expect(answer).toMatchObject({ count: 2 });
    expect(hashAt(answer, 0)).toEqual(digestBlob(contents[1]!).hash);
    expect(dataIn(answer)).toEqual([contents[2]]);
  });

  it('ends when the pack is full', async () => {
    const { contents, paths } = files(Array.from({ length: 80 }, () => 64_000));
    const answer = await read(paths);
    expect(answer.count).toBeGreaterThanOrEqual(Math.floor(limits.batchWriteBytesMax / 64_000));
    expect(answer.count).toBeLessThan(paths.length);
    expect(dataIn(answer).every((data, i) => Buffer.compare(data, contents[i]!) === 0)).toBe(true);
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
    const once = await read([path]);
    expect(once.numbers[0]).toBe(20_000_002);
    grow(Number.POSITIVE_INFINITY);
    const never = await read([path]);
    growths = Number.POSITIVE_INFINITY;
    expect(never.failures.get(0)).toBe('it keeps changing while it is read');
  });

  it('follows no link and waits for no pipe that took a file’s place', async () => {
    const target = file('target', new Uint8Array(5));
    const link = join(directory, 'link');
    symlinkSync(target, link);
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const { count, failures } = await read([link, pipe, join(directory, 'absent'), target, directory]);
    expect(count).toBe(5);
    expect([...failures.keys()]).toEqual([0, 1, 2, 4]);
    expect(failures.get(0)).toMatch(/ELOOP/);
    expect(failures.get(1)).toBe('it is no regular file any more');
    expect(failures.get(2)).toMatch(/ENOENT/);
  });
});
