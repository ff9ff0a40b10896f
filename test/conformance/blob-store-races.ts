// Several writers at once, above all of one and the same blob: the first to commit wins, and nobody waits for a writer
// that stalls.

import { expect } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import {
  blobOf,
  codeOf,
  expectAbsent,
  expectBlob,
  expectSameDigest,
  expectSourceError,
  failingSource,
  itOn,
  listAll,
  piecesOf,
  type StoreUnderTest,
  stalledSource,
} from './blob-store-kit.js';

const sizes = [1000, limits.packedBlobBytesMax, limits.packedBlobBytesMax + 1, 700_000];

export function raceTests(subject: StoreUnderTest): void {
  itOn(subject, 'keeps different blobs written at once', async ({ store }) => {
    const blobs = Array.from({ length: 60 }, (_, i) => blobOf(i % 4 === 0 ? 70_000 + i : 50 + i, 3));
    const results = await Promise.all(
      blobs.map((blob, i) => store.write(i % 2 === 0 ? blob : piecesOf([blob.subarray(0, 20), blob.subarray(20)]))),
    );
    for (const [i, blob] of blobs.entries()) {
      expect(results[i]!.existed).toBe(false);
      expectSameDigest(results[i]!.digest, digestBlob(blob));
      await expectBlob(store, results[i]!.digest, blob);
    }
    expect((await listAll(store)).length).toBe(blobs.length);
  });

  itOn(subject, 'keeps one blob that many write at once', async ({ store }) => {
    for (const size of sizes) {
      const bytes = blobOf(size);
      const digest = digestBlob(bytes);
      const writes = Array.from({ length: 9 }, (_, i) => {
        const expected = i % 2 === 0 ? digest : undefined;
        return store.write(i % 3 === 0 ? bytes : piecesOf([bytes.subarray(0, 500), bytes.subarray(500)]), {
          expect: expected,
        });
      });
      const results = await Promise.all(writes);
      for (const result of results) expectSameDigest(result.digest, digest);
      const first = results.filter(({ existed }) => !existed).length;
      if (subject.existedInRaces) expect(first, 'writers told they were first').toBe(1);
      else expect(first).toBeGreaterThanOrEqual(1);
      await expectBlob(store, digest, bytes);
      if (subject.usage) expect(await store.usage()).toEqual({ blobs: 1, bytes: size });
      expect(await listAll(store)).toHaveLength(1);
      await store.delete([digest.hash]);
    }
  });

  for (const announced of [true, false]) {
    const how = announced ? 'announced' : 'not announced';

    itOn(subject, `does not wait for a writer that stalls, and lets it be canceled (${how})`, async ({ store }) => {
      for (const size of sizes) {
        const bytes = blobOf(size);
        const digest = digestBlob(bytes);
        const expected = announced ? digest : undefined;
        const controller = new AbortController();
        const stalled = stalledSource([bytes.subarray(0, size - 1)]);
        const write = store
          .write(stalled.source, { expect: expected, signal: controller.signal })
          .then(({ existed }) => (existed ? 'existed' : 'new'), codeOfRejection);
        await stalled.stalled;
        await expectAbsent(store, digest);

        expect((await store.write(bytes, { expect: expected })).existed).toBe(false);
        await expectBlob(store, digest, bytes);
        const overtaken = announced && subject.answersOvertaken;
        if (overtaken) expect(subject.existedInRaces ? ['existed'] : ['existed', 'new']).toContain(await write);
        controller.abort();
        if (!overtaken) expect(await write).toBe('canceled');
        stalled.release();
        await expectBlob(store, digest, bytes);
        expect(await store.delete([digest.hash])).toEqual([true]);
        await expectAbsent(store, digest);
      }
    });

    itOn(subject, `tells a writer that goes on late that the blob exists (${how})`, async ({ store }) => {
      for (const size of sizes) {
        const bytes = blobOf(size);
        const digest = digestBlob(bytes);
        const expected = announced ? digest : undefined;
        const late = stalledSource([bytes.subarray(0, 10)], [bytes.subarray(10)]);
        const write = store.write(late.source, { expect: expected });
        await late.stalled;
        expect((await store.write(bytes, { expect: expected })).existed).toBe(false);
        late.release();
        const result = await write;
        expectSameDigest(result.digest, digest);
        if (subject.existedInRaces) expect(result.existed).toBe(true);
        expect(result.durability).toBe(subject.durability);
        await expectBlob(store, digest, bytes);
        expect(await listAll(store)).toHaveLength(1);
        await store.delete([digest.hash]);
      }
    });

    itOn(subject, `commits the one that is whole, whatever happens to the others (${how})`, async ({ store }) => {
      for (const size of sizes) {
        const bytes = blobOf(size);
        const digest = digestBlob(bytes);
        const expected = announced ? digest : undefined;
        const error = new Error('the source broke');
        const broken = store.write(failingSource([bytes.subarray(0, 5)], error), { expect: expected });
        const wrong = codeOf(store.write(piecesOf([blobOf(size, 1)]), { expect: digest }));
        const controller = new AbortController();
        const stalled = stalledSource([bytes.subarray(0, 5)]);
        const canceled = codeOf(store.write(stalled.source, { expect: expected, signal: controller.signal }));
        await stalled.stalled;
        controller.abort();
        await expectSourceError(subject, broken, error);
        expect(await canceled).toBe('canceled');
        expect(await wrong).toBe('digest_mismatch');
        stalled.release();
        await expectAbsent(store, digest);
        expect((await store.write(bytes, { expect: expected })).existed).toBe(false);
        await expectBlob(store, digest, bytes);
        await store.delete([digest.hash]);
      }
    });
  }

  itOn(subject, 'holds many stalled writers while others work', async ({ store }) => {
    const stalled = Array.from({ length: 40 }, (_, i) => {
      const bytes = blobOf(100_000 + i);
      const controller = new AbortController();
      const source = stalledSource([bytes.subarray(0, 90_000)]);
      const code = codeOf(store.write(source.source, { expect: digestBlob(bytes), signal: controller.signal }));
      return { source, controller, code };
    });
    await Promise.all(stalled.map(({ source }) => source.stalled));
    for (let i = 0; i < 20; i++) {
      const bytes = blobOf(5000 + i);
      const { digest } = await store.write(bytes);
      await expectBlob(store, digest, bytes);
    }
    for (const { controller } of stalled) controller.abort();
    for (const { source, code } of stalled) {
      expect(await code).toBe('canceled');
      source.release();
    }
    expect(await listAll(store)).toHaveLength(20);
  });
}

function codeOfRejection(error: unknown): Promise<string> {
  return codeOf(Promise.reject(error));
}
