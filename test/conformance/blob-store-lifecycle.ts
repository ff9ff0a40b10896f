// Deleting, closing and coming back.

import { expect } from 'vitest';
import { emptyDigest } from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import {
  blobOf,
  codeOf,
  edgeSizes,
  expectAbsent,
  expectBlob,
  expectSameBytes,
  itOn,
  largeSize,
  listAll,
  openBlob,
  piecesOf,
  readAll,
  type StoreUnderTest,
  stalledSource,
} from './blob-store-kit.js';

export function lifecycleTests(subject: StoreUnderTest): void {
  deleteTests(subject);
  closeTests(subject);
  reopenTests(subject);
}

function deleteTests(subject: StoreUnderTest): void {
  itOn(subject, 'deletes at once, in the order asked', async ({ store }) => {
    for (const size of [10, limits.packedBlobBytesMax, limits.packedBlobBytesMax + 1, 500_000]) {
      const [gone, kept] = [blobOf(size), blobOf(size, 1)];
      await store.write(gone);
      await store.write(kept);
      const absent = digestBlob(blobOf(size, 2));
      expect(await store.delete([absent.hash, digestBlob(gone).hash])).toEqual([false, true]);
      await expectAbsent(store, digestBlob(gone));
      expect(await store.delete([digestBlob(gone).hash])).toEqual([false]);
      await expectBlob(store, digestBlob(kept), kept);
    }
    expect(await store.delete([])).toEqual([]);
  });

  itOn(subject, 'deletes more than one request carries', async ({ store }) => {
    const digests = [];
    for (let i = 0; i < 10; i++) digests.push((await store.write(blobOf(50 + i))).digest);
    const padding = Array(limits.batchItemsCountMax).fill(digestBlob(blobOf(9)).hash);
    const asked = [...digests.slice(0, 5).map(({ hash }) => hash), ...padding, digests[7]!.hash];
    const answers = await store.delete(asked);
    expect(answers).toEqual(asked.map((_, i) => i < 5 || i === asked.length - 1));
    expect(await listAll(store)).toHaveLength(4);
  });

  itOn(subject, 'never deletes the empty blob', async ({ store }) => {
    expect(await store.delete([emptyDigest.hash])).toEqual([false]);
    await expectBlob(store, emptyDigest, new Uint8Array(0));
  });

  itOn(subject, 'takes a deleted blob again', async ({ store }) => {
    for (const size of [10, limits.packedBlobBytesMax + 1]) {
      const bytes = blobOf(size);
      const digest = digestBlob(bytes);
      for (let round = 0; round < 4; round++) {
        const { existed } = await store.write(round % 2 === 0 ? bytes : piecesOf([bytes]), { expect: digest });
        expect(existed).toBe(false);
        await expectBlob(store, digest, bytes);
        expect(await store.delete([digest.hash])).toEqual([true]);
        await expectAbsent(store, digest);
      }
    }
  });

  itOn(subject, 'answers one deletion of many at once', async ({ store }) => {
    for (const size of [10, 100_000]) {
      const { digest } = await store.write(blobOf(size));
      const answers = await Promise.all(Array.from({ length: 8 }, () => store.delete([digest.hash])));
      expect(answers.flat().filter(Boolean)).toHaveLength(1);
      await expectAbsent(store, digest);
    }
  });

  itOn(subject, 'stays in order when one blob is written and deleted at once', async ({ store }) => {
    for (const size of [1000, 100_000]) {
      const bytes = blobOf(size);
      const { digest } = await store.write(bytes);
      for (let round = 0; round < 10; round++) {
        await Promise.all([store.write(bytes), store.delete([digest.hash]), store.write(bytes)]);
        const [stat] = await store.stat([digest.hash]);
        if (stat === undefined) await expectAbsent(store, digest);
        else await expectBlob(store, digest, bytes);
      }
      await store.write(bytes);
      await expectBlob(store, digest, bytes);
    }
  });

  if (!subject.readsAfterDelete) return;
  itOn(subject, 'reads on from an open handle, also when the blob is written again', async ({ store }) => {
    for (const size of [10, limits.packedBlobBytesMax, limits.packedBlobBytesMax + 1, largeSize]) {
      const bytes = blobOf(size);
      const { digest } = await store.write(bytes);
      const handle = await openBlob(store, digest.hash);
      await handle.read({ start: 0, end: 1 });
      const untouched = await openBlob(store, digest.hash);
      await store.delete([digest.hash]);
      await expectAbsent(store, digest);
      expectSameBytes(await readAll(handle), bytes);
      await store.write(bytes);
      expectSameBytes(await readAll(untouched), bytes);
      await handle.close();
      await untouched.close();
      await expectBlob(store, digest, bytes);
    }
  });
}

function closeTests(subject: StoreUnderTest): void {
  itOn(subject, 'answers unavailable once closed', async ({ store }) => {
    const { digest } = await store.write(blobOf(10));
    await store.close();
    const calls = [
      store.stat([digest.hash]),
      store.stat([emptyDigest.hash]),
      store.open(digest.hash),
      store.open(emptyDigest.hash),
      store.write(blobOf(11)),
      store.write(piecesOf([blobOf(100_000)])),
      store.delete([digest.hash]),
      store.list({ limit: 1 }),
      ...(subject.usage ? [store.usage()] : []),
    ];
    expect(await Promise.all(calls.map(codeOf))).toEqual(calls.map(() => 'unavailable'));
  });

  itOn(subject, 'waits for writes under way when it closes', async (opened) => {
    const { store } = opened;
    for (const [i, size] of [1000, 200_000].entries()) {
      const current = i === 0 ? store : await opened.reopen?.();
      if (current === undefined) return;
      const bytes = blobOf(size);
      const late = stalledSource([bytes.subarray(0, 10)], [bytes.subarray(10)]);
      const write = current.write(late.source);
      await late.stalled;
      const closed = current.close();
      const pause = new Promise((resolve) => setTimeout(resolve, 30, 'waiting'));
      expect(await Promise.race([closed.then(() => 'closed'), pause])).toBe('waiting');
      late.release();
      expect((await write).existed).toBe(false);
      await closed;
      if (opened.reopen !== undefined) await expectBlob(await opened.reopen(), digestBlob(bytes), bytes);
    }
  });
}

function reopenTests(subject: StoreUnderTest): void {
  itOn(subject, 'keeps everything, and only that, when closed and opened again', async (opened) => {
    if (opened.reopen === undefined) return;
    const sizes = [...edgeSizes.filter((size) => size > 0), largeSize];
    let { store } = opened;
    for (const size of sizes) await store.write(blobOf(size));
    const deleted = [1, 4096, limits.packedBlobBytesMax + 1];
    await store.delete(deleted.map((size) => digestBlob(blobOf(size)).hash));
    for (let round = 0; round < 2; round++) {
      store = await opened.reopen();
      const kept = sizes.filter((size) => !deleted.includes(size));
      for (const size of kept) await expectBlob(store, digestBlob(blobOf(size)), blobOf(size));
      await expectAbsent(store, ...deleted.map((size) => digestBlob(blobOf(size))));
      expect(await listAll(store)).toEqual(kept.map((size) => hexOf(size)).sort());
      if (subject.usage) {
        expect(await store.usage()).toEqual({ blobs: kept.length, bytes: kept.reduce((sum, size) => sum + size, 0) });
      }
      for (const size of kept) expect((await store.write(blobOf(size))).existed).toBe(true);
    }
    for (const size of deleted) {
      expect((await store.write(blobOf(size))).existed).toBe(false);
      await expectBlob(store, digestBlob(blobOf(size)), blobOf(size));
    }
  });
}

function hexOf(size: number): string {
  return Buffer.from(digestBlob(blobOf(size)).hash).toString('hex');
}
