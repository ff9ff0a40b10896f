// Hashing in worker threads against hashing here.

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { errorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { FileHasher, type NamedFile } from '../../src/cli/hash-files.js';
import { seededRandom } from '../support/random.js';

let directory: string;
let hasher: FileHasher;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-hash-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

beforeEach(() => {
  hasher = new FileHasher();
});

afterEach(() => hasher.close());

function file(name: string): NamedFile {
  return { name, path: join(directory, name) };
}

async function hashAll(files: Iterable<NamedFile>) {
  const all = [];
  for await (const hashed of hasher.hash(files)) all.push(hashed);
  return all;
}

describe('FileHasher', () => {
  it('gives the digest of files of every kind of size, in order', async () => {
    const mib = 2 ** 20;
    const sizes = [0, 1, 1000, mib - 1, mib, mib + 1, 2 * mib, 2 * mib + 1, 5 * mib + 7];
    const files: NamedFile[] = [];
    const want = [];
    for (const [i, size] of [...sizes, ...sizes.toReversed()].entries()) {
      const bytes = seededRandom(i).bytes(size);
      await writeFile(join(directory, `size ${i}`), bytes);
      files.push(file(`size ${i}`));
      want.push(digestBlob(bytes));
    }
    let found = 0;
    const onFound = (bytes: number) => {
      found += bytes;
    };
    const got = [];
    for await (const { digest } of hasher.hash(files, { onFound })) got.push(digest);
    expect(got).toEqual(want);
    expect(found).toBe(want.reduce((sum, { size }) => sum + size, 0));
  });

  it('keeps the order over many bundles, and errors in their places', async () => {
    await writeFile(join(directory, 'one'), 'one');
    await mkdir(join(directory, 'folder'));
    await symlink('one', join(directory, 'link'));
    const names = Array.from({ length: 3 * limits.hashTaskFilesCountMax + 5 }, (_, i) =>
      i % 100 === 7 ? 'folder' : i % 100 === 8 ? 'gone' : i % 2 === 0 ? 'one' : 'link',
    );
    const all = await hashAll(names.map(file));
    expect(all.map(({ file: { name } }) => name)).toEqual(names);
    for (const { file, digest, error } of all) {
      if (file.name === 'folder' || file.name === 'gone') expect(errorCode(error)).toBe('failed_precondition');
      else expect(digest).toEqual(digestBlob(Buffer.from('one')));
    }
  });

  it('ends when it is told to', async () => {
    await writeFile(join(directory, 'one'), 'one');
    const stop = new AbortController();
    function* endless() {
      for (;;) yield file('one');
    }
    let count = 0;
    const hashing = (async () => {
      for await (const _ of hasher.hash(endless(), { signal: stop.signal })) if (++count === 1000) stop.abort();
    })();
    await expect(hashing.catch((error: unknown) => Promise.reject(errorCode(error)))).rejects.toBe('canceled');
  });
});
