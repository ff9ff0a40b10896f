// What is particular to the store on disk; what it shares with all stores is in the conformance suite.

import { readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BlobStore } from '../../src/base/blob-store.js';
import { type BlobHash, type Digest, hashHex } from '../../src/base/digest.js';
import { errorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { openStoreIn, withDirectory } from '../support/local-store.js';
import { seededRandom } from '../support/random.js';

const small = 4096;
const large = limits.packedBlobBytesMax + 100_000;

function blobs(count: number, size: number, seed = 1): Uint8Array[] {
  const random = seededRandom(seed * 1_000_003 + size);
  return Array.from({ length: count }, () => random.bytes(size));
}

async function writeAll(store: BlobStore, all: readonly Uint8Array[]): Promise<Digest[]> {
  return (await Promise.all(all.map((bytes) => store.write(bytes)))).map(({ digest }) => digest);
}

async function readWhole(store: BlobStore, hash: BlobHash): Promise<Uint8Array | undefined> {
  const handle = await store.open(hash);
  if (handle === undefined) return undefined;
  try {
    return await handle.read({ start: 0, end: handle.digest.size });
  } finally {
    await handle.close();
  }
}

async function expectAll(store: BlobStore, all: readonly Uint8Array[]): Promise<void> {
  for (const bytes of all) {
    const found = await readWhole(store, digestBlob(bytes).hash);
    expect(found !== undefined && Buffer.compare(found, bytes) === 0).toBe(true);
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'ok',
    (error: unknown) => errorCode(error),
  );
}

describe('LocalStore', () => {
  it('forgets nothing and brings nothing back when its index is deleted', () =>
    withDirectory(async (directory) => {
      const all = [...blobs(200, small), ...blobs(5, large)];
      let store = await openStoreIn(directory);
      const digests = await writeAll(store, all);
      const gone = [digests[3]!.hash, digests[202]!.hash];
      expect(await store.delete(gone)).toEqual([true, true]);
      await store.close();
      for (const derived of ['index', 'table.clean']) await rm(join(directory, derived), { recursive: true });

      store = await openStoreIn(directory);
      const kept = all.filter((_, i) => i !== 3 && i !== 202);
      await expectAll(store, kept);
      expect(await store.stat(gone)).toEqual([undefined, undefined]);
      expect((await store.usage()).blobs).toBe(kept.length);
      expect(await store.list({ limit: 1000 })).toHaveLength(kept.length);
      await store.close();
    }));

  it('opens an index that is damaged, older than the log, or ahead of it', () =>
    withDirectory(async (directory) => {
      const all = blobs(50, small);
      let store = await openStoreIn(directory);
      await writeAll(store, all);
      await store.close();
      const index = join(directory, 'index');
      for (const name of await readdir(index)) {
        if (/\.(log|ldb)$|MANIFEST/.test(name)) await writeFile(join(index, name), 'damage');
      }
      await rm(join(directory, 'table.clean'));
      store = await openStoreIn(directory);
      await expectAll(store, all);
      await store.close();

      const log = join(directory, 'log');
      const segment = join(log, (await readdir(log)).sort().at(-1)!);
      await truncate(segment, 4096);
      store = await openStoreIn(directory);
      expect((await store.usage()).blobs).toBe(0);
      expect((await store.write(all[0]!)).existed).toBe(false);
      await store.close();
    }));

  it('refuses a second process, and says which directory', () =>
    withDirectory(async (directory) => {
      const store = await openStoreIn(directory);
      const second = openStoreIn(directory);
      expect(await codeOf(second)).toBe('failed_precondition');
      await expect(second).rejects.toThrow(directory);
      await store.close();
      await (await openStoreIn(directory)).close();
    }));

  it('counts what it loses as soon as that is out of sight, and nothing else', () =>
    withDirectory(async (directory) => {
      const store = await openStoreIn(directory);
      const [first, second] = await writeAll(store, blobs(2, small));
      await store.write(blobs(1, small)[0]!);
      await store.delete([digestBlob(Buffer.from('absent')).hash, digestBlob(Buffer.alloc(0)).hash]);
      expect(store.deletedCount).toBe(0);
      const deleting = store.delete([first!.hash]);
      while ((await store.stat([first!.hash]))[0] !== undefined);
      expect(store.deletedCount).toBe(1);
      await deleting;
      await store.delete([first!.hash, second!.hash]);
      expect(store.deletedCount).toBe(2);
      await store.close();
    }));

  it('serves no damaged byte of a large blob, whichever range is asked', () =>
    withDirectory(async (directory) => {
      const store = await openStoreIn(directory);
      const bytes = blobs(1, 5 * limits.blockBytes + 1)[0]!;
      const { digest } = await store.write(bytes);
      const handle = (await store.open(digest.hash))!;
      const damaged = bytes.slice();
      damaged[2 * limits.blockBytes + 7]! ^= 1;
      await writeFile(handle.localPath!, damaged);
      const read = (start: number, end: number) => codeOf(handle.read({ start, end }));
      expect(await read(0, 2 * limits.blockBytes)).toBe('ok');
      expect(await read(3 * limits.blockBytes, bytes.length)).toBe('ok');
      expect(await read(0, bytes.length)).toBe('corrupt');
      expect(await read(3 * limits.blockBytes - 1, 3 * limits.blockBytes)).toBe('corrupt');
      expect(await read(2 * limits.blockBytes, 2 * limits.blockBytes + 1)).toBe('corrupt');
      await truncate(handle.localPath!, 10);
      expect(await codeOf(store.open(digest.hash))).toBe('corrupt');
      expect(await store.delete([digest.hash])).toEqual([true]);
      await handle.close();
      await store.close();
    }));

  it('keeps a deleted large blob readable for who holds it, then frees its file', () =>
    withDirectory(async (directory) => {
      const store = await openStoreIn(directory);
      const bytes = blobs(1, large)[0]!;
      const { digest } = await store.write(bytes);
      const first = (await store.open(digest.hash))!;
      await store.delete([digest.hash]);
      await store.write(bytes);
      const second = (await store.open(digest.hash))!;
      expect(second.localPath).not.toBe(first.localPath);
      const folder = join(directory, 'large', hashHex(digest.hash).slice(0, 2));
      expect(await readdir(folder)).toHaveLength(2);
      expect(Buffer.compare(await first.read({ start: 0, end: large }), bytes)).toBe(0);
      await first.close();
      expect(await readdir(folder)).toHaveLength(1);
      expect(Buffer.compare(await second.read({ start: 0, end: large }), bytes)).toBe(0);
      await second.close();
      await store.close();
    }));

  it('starts beside files of others among its large ones, and leaves them alone', () =>
    withDirectory(async (directory) => {
      const bytes = blobs(1, large)[0]!;
      let store = await openStoreIn(directory);
      await store.write(bytes);
      await store.close();
      const strays = ['.DS_Store', 'backup'];
      for (const stray of strays) await writeFile(join(directory, 'large', stray), 'of somebody else');
      // As after a stop that was not clean.
      await rm(join(directory, 'table.clean'));
      store = await openStoreIn(directory);
      await expectAll(store, [bytes]);
      await store.close();
      expect((await readdir(join(directory, 'large'))).filter((name) => name.length > 2).sort()).toEqual(strays);
    }));

  it('answers a stalled writer when another stores its blob', () =>
    withDirectory(async (directory) => {
      const store = await openStoreIn(directory);
      const bytes = blobs(1, large)[0]!;
      const expected = digestBlob(bytes);
      async function* stalled(): AsyncGenerator<Uint8Array> {
        yield bytes.subarray(0, large - 1);
        await new Promise(() => {});
      }
      const waiting = store.write(stalled(), { expect: expected });
      expect((await store.write(bytes)).existed).toBe(false);
      expect(await waiting).toEqual({ digest: expected, existed: true, durability: 'disk' });
      expect(await readdir(join(directory, 'temp'))).toEqual([]);
      await store.close();
    }));

  it('leaves nothing in temp, whatever ends a write', () =>
    withDirectory(async (directory) => {
      const store = await openStoreIn(directory);
      const bytes = blobs(1, large)[0]!;
      const wrong = digestBlob(bytes.subarray(1));
      const abort = new AbortController();
      async function* failing(): AsyncGenerator<Uint8Array> {
        yield bytes;
        throw new Error('the source broke');
      }
      async function* endless(): AsyncGenerator<Uint8Array> {
        yield bytes;
        abort.abort();
        await new Promise(() => {});
      }
      expect(await codeOf(store.write(failing()))).toBe('internal');
      expect(await codeOf(store.write(endless(), { signal: abort.signal }))).toBe('canceled');
      expect(await codeOf(store.write(bytes, { expect: { ...wrong, size: large } }))).toBe('digest_mismatch');
      expect(await codeOf(store.write(bytes, { expect: wrong }))).toBe('digest_mismatch');
      expect(await readdir(join(directory, 'temp'))).toEqual([]);
      expect((await store.usage()).blobs).toBe(0);
      await store.close();
    }));

  it('keeps in memory durability what a clean stop has seen', () =>
    withDirectory(async (directory) => {
      const all = [...blobs(20, small), ...blobs(3, large)];
      let store = await openStoreIn(directory, { durability: 'memory' });
      expect((await store.write(all[0]!)).durability).toBe('memory');
      await writeAll(store, all);
      await store.close();
      store = await openStoreIn(directory, { durability: 'memory' });
      await expectAll(store, all);
      await store.close();
    }));
});
