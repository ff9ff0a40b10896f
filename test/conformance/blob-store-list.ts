// Questions about many blobs: stat, list and usage.

import { expect } from 'vitest';
import { type BlobHash, emptyDigest, hashHex, toHash } from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { blobOf, edgeSizes, itOn, listAll, type StoreUnderTest } from './blob-store-kit.js';

const lowest = toHash(new Uint8Array(32));
const highest = toHash(new Uint8Array(32).fill(0xff));

export function listTests(subject: StoreUnderTest): void {
  itOn(subject, 'stats in the order asked, each time asked', async ({ store }) => {
    const [a, b] = [digestBlob(blobOf(10)), digestBlob(blobOf(100_000))];
    const absent = digestBlob(blobOf(11));
    await store.write(blobOf(10));
    await store.write(blobOf(100_000));
    expect(await store.stat([])).toEqual([]);
    const asked = [b, absent, a, a, emptyDigest, absent, b, b].map(({ hash }) => hash);
    const sizes = (await store.stat(asked)).map((stat) => stat?.size);
    expect(sizes).toEqual([100_000, undefined, 10, 10, 0, undefined, 100_000, 100_000]);
  });

  itOn(subject, 'stats more hashes than one request carries', async ({ store }) => {
    const { digest } = await store.write(blobOf(10));
    const count = 2 * limits.batchItemsCountMax + 1;
    const hashes = Array.from({ length: count }, (_, i) => (i % 1000 === 0 ? digest.hash : madeUpHash(i)));
    const stats = await store.stat(hashes);
    expect(stats.length).toBe(count);
    expect(stats.map((stat) => stat?.size)).toEqual(hashes.map((hash) => (hash === digest.hash ? 10 : undefined)));
  });

  itOn(subject, 'knows no hash that differs in one bit', async ({ store }) => {
    const { digest } = await store.write(blobOf(10));
    const near = Array.from({ length: 256 }, (_, bit) => {
      const hash = digest.hash.slice();
      hash[bit >> 3]! ^= 1 << (bit & 7);
      return toHash(hash);
    });
    expect((await store.stat(near)).every((stat) => stat === undefined)).toBe(true);
    expect((await store.delete(near)).every((deleted) => !deleted)).toBe(true);
    expect(await store.open(near[255]!)).toBeUndefined();
    expect(await store.stat([digest.hash])).toEqual([{ size: 10 }]);
  });

  itOn(subject, 'lists nothing in an empty store', async ({ store }) => {
    expect(await store.list({ limit: 10 })).toEqual([]);
    expect(await store.list({ limit: 10, after: lowest })).toEqual([]);
    await store.write(new Uint8Array(0));
    expect(await store.list({ limit: 10 })).toEqual([]);
  });

  itOn(subject, 'lists in order of hash, from any place, up to the limit', async ({ store }) => {
    const digests = Array.from({ length: 60 }, (_, i) => digestBlob(blobOf(20 + i)));
    await Promise.all(digests.map((_, i) => store.write(blobOf(20 + i))));
    const sorted = [...digests].sort((a, b) => Buffer.compare(a.hash, b.hash));
    const want = sorted.map(({ hash, size }) => `${hashHex(hash)}/${size}`);
    const list = async (limit: number, after?: BlobHash) =>
      (await store.list({ limit, after })).map(({ hash, size }) => `${hashHex(hash)}/${size}`);

    for (const limit of [1, 7, 59, 60, 61, 1000, limits.listPageCountMax, limits.listPageCountMax + 1]) {
      expect(await list(limit)).toEqual(want.slice(0, limit));
      expect(await list(limit, sorted[20]!.hash)).toEqual(want.slice(21, 21 + limit));
    }
    for (const [i, { hash }] of sorted.entries()) expect(await list(3, hash)).toEqual(want.slice(i + 1, i + 4));
    expect(await list(1000, lowest)).toEqual(want);
    expect(await list(1000, highest)).toEqual([]);
    const between = sorted[30]!.hash.slice();
    between[31]! ^= 1;
    const first = Buffer.compare(between, sorted[30]!.hash) < 0 ? 30 : 31;
    expect(await list(2, toHash(between))).toEqual(want.slice(first, first + 2));
  });

  itOn(subject, 'lists each blob once while others come and go', async ({ store }) => {
    const kept = Array.from({ length: 50 }, (_, i) => digestBlob(blobOf(30 + i, 1)));
    await Promise.all(kept.map((_, i) => store.write(blobOf(30 + i, 1))));
    let paging = true;
    const writing = (async () => {
      for (let i = 0; paging && i < 500; i++) {
        const { digest } = await store.write(blobOf(30 + (i % 40), 2));
        if (i % 3 === 0) await store.delete([digest.hash]);
      }
    })();
    for (let round = 0; round < 5; round++) {
      const listed = await listAll(store, 7);
      expect(listed).toEqual([...new Set(listed)].sort());
      const seen = new Set(listed);
      expect(kept.every(({ hash }) => seen.has(hashHex(hash)))).toBe(true);
    }
    paging = false;
    await writing;
  });

  if (!subject.usage) return;
  itOn(subject, 'counts blobs and bytes', async ({ store }) => {
    expect(await store.usage()).toEqual({ blobs: 0, bytes: 0 });
    let bytes = 0;
    let blobs = 0;
    for (const size of edgeSizes) {
      await store.write(blobOf(size));
      await store.write(blobOf(size));
      bytes += size;
      if (size > 0) blobs++;
      expect(await store.usage()).toEqual({ blobs, bytes });
    }
    for (const size of edgeSizes) {
      const { hash } = digestBlob(blobOf(size));
      await store.delete([hash]);
      await store.delete([hash]);
      bytes -= size;
      if (size > 0) blobs--;
      expect(await store.usage()).toEqual({ blobs, bytes });
    }
    await store.write(blobOf(70_000));
    expect(await store.usage()).toEqual({ blobs: 1, bytes: 70_000 });
  });
}

function madeUpHash(i: number): BlobHash {
  const hash = new Uint8Array(32).fill(0x5a);
  new DataView(hash.buffer).setUint32(28, i);
  return toHash(hash);
}
