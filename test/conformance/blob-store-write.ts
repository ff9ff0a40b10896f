// Writing one blob: every size, every kind of source, everything that must leave nothing behind.

import { expect } from 'vitest';
import type { BlobSource, BlobStore } from '../../src/base/blob-store.js';
import { type Digest, emptyDigest, toDigest } from '../../src/base/digest.js';
import { CairnError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { randomSplit, seededRandom } from '../support/random.js';
import {
  blobOf,
  codeOf,
  edgeSizes,
  expectAbsent,
  expectBlob,
  expectSameDigest,
  expectSourceError,
  failingSource,
  itOn,
  largeSize,
  piecesOf,
  reusedBuffer,
  type StoreUnderTest,
  stalledSource,
} from './blob-store-kit.js';

export function writeTests(subject: StoreUnderTest): void {
  sizeTests(subject);
  sourceTests(subject);
  expectTests(subject);
  failureTests(subject);
}

function sizeTests(subject: StoreUnderTest): void {
  itOn(subject, 'keeps blobs of every size, given as one array', async ({ store }) => {
    for (const size of [...edgeSizes, largeSize]) {
      const bytes = blobOf(size);
      const result = await store.write(bytes);
      expectSameDigest(result.digest, digestBlob(bytes));
      expect(result.existed, `${size} bytes existed`).toBe(size === 0);
      expect(result.durability).toBe(subject.durability);
      await expectBlob(store, result.digest, bytes);
    }
  });

  itOn(subject, 'keeps blobs of every size, given in pieces and announced', async ({ store }) => {
    const random = seededRandom(7);
    for (const size of [...edgeSizes, largeSize]) {
      const bytes = blobOf(size);
      const digest = digestBlob(bytes);
      const pieces = randomSplit(random, bytes, Math.max(16, size / 4));
      const result = await store.write(piecesOf(pieces), { expect: digest });
      expectSameDigest(result.digest, digest);
      expect(result.existed).toBe(size === 0);
      await expectBlob(store, digest, bytes);
    }
  });

  itOn(subject, 'says that a blob existed when it is written again', async ({ store }) => {
    for (const size of [5, limits.packedBlobBytesMax + 1]) {
      const bytes = blobOf(size);
      const digest = digestBlob(bytes);
      expect((await store.write(bytes)).existed).toBe(false);
      expect((await store.write(bytes)).existed).toBe(true);
      expect((await store.write(piecesOf([bytes]), { expect: digest })).existed).toBe(true);
      const third = await store.write(piecesOf([bytes]));
      expect(third).toMatchObject({ existed: true, durability: subject.durability });
      expectSameDigest(third.digest, digest);
      await expectBlob(store, digest, bytes);
    }
  });

  itOn(subject, 'always has the empty blob', async ({ store }) => {
    const sources: BlobSource[] = [new Uint8Array(0), piecesOf([]), piecesOf([new Uint8Array(0), new Uint8Array(0)])];
    for (const source of sources) {
      const result = await store.write(source);
      expectSameDigest(result.digest, emptyDigest);
      expect(result.existed).toBe(true);
    }
    expect((await store.write(piecesOf([]), { expect: emptyDigest })).existed).toBe(true);
    await expectBlob(store, emptyDigest, new Uint8Array(0));
  });
}

function sourceTests(subject: StoreUnderTest): void {
  for (const size of [1000, limits.packedBlobBytesMax, 300_001]) {
    for (const announced of [true, false]) {
      const how = `${size} bytes, ${announced ? 'announced' : 'not announced'}`;
      const optionsFor = (digest: Digest) => (announced ? { expect: digest } : {});

      itOn(subject, `takes any split of a source (${how})`, async ({ store }) => {
        const nothing = new Uint8Array(0);
        const bytes = blobOf(size);
        const digest = digestBlob(bytes);
        const half = bytes.length >> 1;
        const oneByOne = Array.from(bytes.subarray(0, 100), (_, i) => bytes.subarray(i, i + 1));
        const splits = [
          [nothing, bytes],
          [bytes, nothing],
          [nothing, nothing, bytes.subarray(0, half), nothing, bytes.subarray(half), nothing],
          [...oneByOne, bytes.subarray(100)],
          [bytes.subarray(0, 100), ...Array(50).fill(nothing), bytes.subarray(100)],
          [bytes.subarray(0, size - 1), bytes.subarray(size - 1)],
        ];
        for (const split of splits) {
          await store.write(piecesOf(split), optionsFor(digest));
          await expectBlob(store, digest, bytes);
          expect(await store.delete([digest.hash])).toEqual([true]);
        }
      });

      itOn(subject, `keeps no piece of a source that uses one buffer again and again (${how})`, async ({ store }) => {
        const bytes = blobOf(size);
        const digest = digestBlob(bytes);
        for (const pieceBytes of [97, 4096, 70_000]) {
          if (size / pieceBytes > 500) continue;
          for (const kind of ['Uint8Array', 'Buffer'] as const) {
            const result = await store.write(reusedBuffer(bytes, pieceBytes, kind), optionsFor(digest));
            expectSameDigest(result.digest, digest);
            await expectBlob(store, digest, bytes);
            await store.delete([digest.hash]);
          }
        }
      });

      itOn(subject, `does not keep an array it was given (${how})`, async ({ store }) => {
        for (const bytes of [blobOf(size), Buffer.from(blobOf(size))]) {
          const { digest } = await store.write(bytes, optionsFor(digestBlob(bytes)));
          bytes.fill(0xdd);
          await expectBlob(store, digest, blobOf(size));
          await store.delete([digest.hash]);
        }
      });
    }
  }

  itOn(subject, 'takes a view into a larger buffer', async ({ store }) => {
    const buffer = blobOf(200_000);
    const view = buffer.subarray(777, 100_777);
    const { digest } = await store.write(view);
    await expectBlob(store, digest, view.slice());
    const small = Buffer.from(buffer.buffer, buffer.byteOffset + 13, 999);
    await expectBlob(store, (await store.write(small)).digest, new Uint8Array(small));
  });
}

function expectTests(subject: StoreUnderTest): void {
  const sizes = [1, 1000, limits.packedBlobBytesMax, limits.packedBlobBytesMax + 1, largeSize];

  itOn(subject, 'refuses bytes other than announced, and leaves nothing', async ({ store }) => {
    for (const size of sizes) {
      const bytes = blobOf(size);
      const { hash } = digestBlob(bytes);
      const other = digestBlob(blobOf(size, 1));
      const wrong: Digest[] = [
        other,
        toDigest(hash, size + 1),
        toDigest(hash, size - 1),
        toDigest(other.hash, size + 9),
      ];
      for (const expected of wrong) {
        expect(await codeOf(store.write(bytes, { expect: expected }))).toBe('digest_mismatch');
        expect(await codeOf(store.write(piecesOf([bytes]), { expect: expected }))).toBe('digest_mismatch');
      }
      await expectAbsent(store, digestBlob(bytes), other);
    }
    await expectEmpty(subject, store);
  });

  itOn(subject, 'refuses an empty source for a blob, and a blob for the empty one', async ({ store }) => {
    const bytes = blobOf(10);
    const digest = digestBlob(bytes);
    expect(await codeOf(store.write(new Uint8Array(0), { expect: digest }))).toBe('digest_mismatch');
    expect(await codeOf(store.write(piecesOf([]), { expect: digest }))).toBe('digest_mismatch');
    expect(await codeOf(store.write(new Uint8Array(0), { expect: toDigest(emptyDigest.hash, 1) }))).toBe(
      'digest_mismatch',
    );
    await expectAbsent(store, digest);
    await expectEmpty(subject, store);
  });

  itOn(subject, 'takes the right bytes after wrong ones', async ({ store }) => {
    for (const size of sizes) {
      const bytes = blobOf(size);
      const digest = digestBlob(bytes);
      expect(await codeOf(store.write(blobOf(size, 1), { expect: digest }))).toBe('digest_mismatch');
      expect((await store.write(bytes, { expect: digest })).existed).toBe(false);
      await expectBlob(store, digest, bytes);
    }
  });

  itOn(subject, 'keeps a blob unharmed when wrong bytes are brought for it', async ({ store }) => {
    for (const size of [1000, 100_000]) {
      const bytes = blobOf(size);
      const { digest } = await store.write(bytes);
      // Either answer is right: the blob is there, and the bytes are not its own.
      expect(['ok', 'digest_mismatch']).toContain(await codeOf(store.write(blobOf(size, 1), { expect: digest })));
      await expectBlob(store, digest, bytes);
      await expectAbsent(store, digestBlob(blobOf(size, 1)));
    }
  });

  itOn(subject, 'stops reading a source that is longer than announced', async ({ store }) => {
    const piece = blobOf(limits.blockBytes);
    let pieces = 0;
    async function* endless() {
      for (; pieces < 4096; pieces++) yield piece;
    }
    const digest = digestBlob(blobOf(100_000));
    expect(await codeOf(store.write(endless(), { expect: digest }))).toBe('digest_mismatch');
    expect(pieces).toBeLessThan(4096);
    await expectAbsent(store, digest);
  });
}

function failureTests(subject: StoreUnderTest): void {
  const sizes = [0, 1000, limits.packedBlobBytesMax + 1, 700_000];

  itOn(subject, "lets a source's own error out, and leaves nothing", async ({ store }) => {
    for (const size of sizes) {
      const whole = blobOf(size + 10);
      const digest = digestBlob(whole);
      for (const error of [new Error('the source broke'), new CairnError('overloaded', 'the source broke')]) {
        const pieces = [whole.subarray(0, size >> 1), whole.subarray(size >> 1, size)];
        await expectSourceError(subject, store.write(failingSource(pieces, error)), error);
        await expectSourceError(subject, store.write(failingSource(pieces, error), { expect: digest }), error);
      }
      await expectAbsent(store, digest, ...(size > 0 ? [digestBlob(whole.subarray(0, size))] : []));
      expect((await store.write(whole, { expect: digest })).existed).toBe(false);
      await expectBlob(store, digest, whole);
      await store.delete([digest.hash]);
    }
    await expectEmpty(subject, store);
  });

  itOn(subject, 'refuses a write that was canceled before', async ({ store }) => {
    const signal = AbortSignal.abort();
    const bytes = blobOf(1000);
    const digest = digestBlob(bytes);
    expect(await codeOf(store.write(bytes, { signal }))).toBe('canceled');
    expect(await codeOf(store.write(bytes, { signal, expect: digest }))).toBe('canceled');
    expect(await codeOf(store.write(piecesOf([bytes]), { signal }))).toBe('canceled');
    await expectAbsent(store, digest);
    await expectEmpty(subject, store);
  });

  itOn(subject, 'ends a canceled write at once, also while its source stalls', async ({ store }) => {
    for (const size of sizes) {
      for (const announced of [true, false]) {
        const whole = blobOf(size + 10);
        const digest = digestBlob(whole);
        const controller = new AbortController();
        const source = stalledSource([whole.subarray(0, size)], [whole.subarray(size)]);
        const code = codeOf(
          store.write(source.source, { signal: controller.signal, expect: announced ? digest : undefined }),
        );
        await source.stalled;
        controller.abort();
        expect(await code).toBe('canceled');
        source.release();
        await expectAbsent(store, digest);
        expect((await store.write(whole)).existed).toBe(false);
        await store.delete([digest.hash]);
      }
    }
    await expectEmpty(subject, store);
  });

  itOn(subject, 'takes no notice of a signal that comes after the answer', async ({ store }) => {
    const controller = new AbortController();
    const bytes = blobOf(100_000);
    const { digest } = await store.write(piecesOf([bytes]), { signal: controller.signal });
    controller.abort();
    await expectBlob(store, digest, bytes);
  });
}

async function expectEmpty(subject: StoreUnderTest, store: BlobStore): Promise<void> {
  expect(await store.list({ limit: 10 })).toEqual([]);
  if (subject.usage) expect(await store.usage()).toEqual({ blobs: 0, bytes: 0 });
}
