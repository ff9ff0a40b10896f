// Reading: every class of range against the bytes themselves, many handles at once, and what a reader may do to its buffer.

import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import type { BlobHandle } from '../../src/base/blob-store.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { seededRandom } from '../support/random.js';
import {
  blobOf,
  edgeSizes,
  expectBlob,
  expectSameBytes,
  itOn,
  largeSize,
  openBlob,
  readAll,
  type StoreUnderTest,
} from './blob-store-kit.js';

/** Starts and ends near every edge of a blob of this size; only ranges that one read may ask for. */
function rangesOf(size: number): [number, number][] {
  const block = limits.blockBytes;
  const edges = [0, 1, block - 1, block, block + 1, 2 * block, size >> 1, size - block, size - 1, size];
  const inside = [...new Set(edges)].filter((at) => at >= 0 && at <= size);
  const ranges = inside.flatMap((start) => inside.map((end): [number, number] => [start, end]));
  const longest = Math.min(size, limits.readBytesMax);
  ranges.push([0, longest], [size - longest, size], [(size - longest) >> 1, ((size - longest) >> 1) + longest]);
  return ranges.filter(([start, end]) => end >= start && end - start <= limits.readBytesMax);
}

async function expectRange(handle: BlobHandle, whole: Uint8Array, start: number, end: number): Promise<void> {
  expectSameBytes(await handle.read({ start, end }), whole.subarray(start, end));
}

export function readTests(subject: StoreUnderTest): void {
  itOn(subject, 'answers undefined for a blob that is not there', async ({ store }) => {
    expect(await store.open(digestBlob(blobOf(10)).hash)).toBeUndefined();
  });

  itOn(subject, 'reads every class of range', async ({ store }) => {
    for (const size of [...edgeSizes, largeSize]) {
      const whole = blobOf(size);
      const { digest } = await store.write(whole);
      const handle = await openBlob(store, digest.hash);
      for (const [start, end] of rangesOf(size)) await expectRange(handle, whole, start, end);
      await handle.close();
    }
  });

  itOn(subject, 'reads whole blobs by steps of any size', async ({ store }) => {
    for (const size of [1000, 200_000, largeSize]) {
      const whole = blobOf(size);
      const { digest } = await store.write(whole);
      const handle = await openBlob(store, digest.hash);
      for (const step of [333, 4096, 65_537, limits.readBytesMax]) {
        if (size / step <= 100) expectSameBytes(await readAll(handle, step), whole);
      }
      await handle.close();
    }
  });

  itOn(subject, 'reads random ranges, many at once', async ({ store }) => {
    const random = seededRandom(11);
    for (const size of [50_000, largeSize]) {
      const whole = blobOf(size);
      const { digest } = await store.write(whole);
      const handle = await openBlob(store, digest.hash);
      for (let round = 0; round < 8; round++) {
        const reads = Array.from({ length: 8 }, () => {
          const start = random.between(0, size);
          const end = Math.min(size, start + random.between(0, limits.readBytesMax));
          return expectRange(handle, whole, start, end);
        });
        await Promise.all(reads);
      }
      await handle.close();
    }
  });

  itOn(subject, 'gives each reader bytes of its own', async ({ store }) => {
    for (const size of [100, limits.packedBlobBytesMax, limits.packedBlobBytesMax + 1]) {
      const whole = blobOf(size);
      const { digest } = await store.write(whole);
      const handle = await openBlob(store, digest.hash);
      const first = await handle.read({ start: 0, end: size });
      const second = await handle.read({ start: 0, end: size });
      first.fill(0xdd);
      expectSameBytes(second, whole);
      new Uint8Array(second.buffer, second.byteOffset, second.byteLength).fill(0xee);
      expectSameBytes(await handle.read({ start: 0, end: size }), whole);
      await handle.close();
      await expectBlob(store, digest, whole);
    }
  });

  itOn(subject, 'keeps two handles of a blob apart', async ({ store }) => {
    for (const size of [100, 200_000]) {
      const whole = blobOf(size);
      const { digest } = await store.write(whole);
      const [a, b] = [await openBlob(store, digest.hash), await openBlob(store, digest.hash)];
      const [first, second] = await Promise.all([a.read({ start: 0, end: 50 }), b.read({ start: 50, end: 100 })]);
      expectSameBytes(first, whole.subarray(0, 50));
      expectSameBytes(second, whole.subarray(50, 100));
      await a.close();
      expectSameBytes(await readAll(b), whole);
      await b.close();
    }
  });

  itOn(subject, 'reads many blobs at once', async ({ store }) => {
    const blobs = Array.from({ length: 40 }, (_, i) => blobOf(2000 + 5000 * i));
    await Promise.all(blobs.map((blob) => store.write(blob)));
    await Promise.all(blobs.map((blob) => expectBlob(store, digestBlob(blob), blob)));
  });

  itOn(subject, 'lets a handle be closed again', async ({ store }) => {
    for (const size of [0, 100, 200_000]) {
      const { digest } = await store.write(blobOf(size));
      const handle = await openBlob(store, digest.hash);
      await handle.close();
      await handle.close();
      await expectBlob(store, digest, blobOf(size));
    }
  });

  itOn(subject, 'rejects reads that only a wrong program makes', async ({ store }) => {
    const size = limits.readBytesMax + 10;
    const { digest } = await store.write(blobOf(size));
    const handle = await openBlob(store, digest.hash);
    await expect(handle.read({ start: 0, end: limits.readBytesMax + 1 })).rejects.toThrow();
    await expect(handle.read({ start: size - 5, end: size + 1 })).rejects.toThrow();
    await expect(handle.read({ start: -1, end: 5 })).rejects.toThrow();
    await expect(handle.read({ start: 9, end: 5 })).rejects.toThrow();
    await handle.close();
    await expect(handle.read({ start: 0, end: 1 })).rejects.toThrow();
  });

  itOn(subject, 'names the file of a blob that has one of its own', async ({ store }) => {
    for (const size of [0, 10, limits.packedBlobBytesMax, limits.packedBlobBytesMax + 1, 500_000]) {
      const bytes = blobOf(size);
      const { digest } = await store.write(bytes);
      const handle = await openBlob(store, digest.hash);
      if (subject.localPath && size > limits.packedBlobBytesMax) {
        expect(handle.localPath).toBeDefined();
        expectSameBytes(await readFile(handle.localPath!), bytes);
      } else {
        expect(handle.localPath).toBeUndefined();
      }
      await handle.close();
    }
  });
}
