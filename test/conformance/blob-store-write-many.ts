// Writing many blobs at hand in one call: each fares as if it had been written alone.

import { expect } from 'vitest';
import type { BlobStore, NamedBlob } from '../../src/base/blob-store.js';
import { emptyDigest, toDigest } from '../../src/base/digest.js';
import { errorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import {
  blobOf,
  codeOf,
  expectAbsent,
  expectBlob,
  expectSameDigest,
  itOn,
  type StoreUnderTest,
} from './blob-store-kit.js';

const large = limits.packedBlobBytesMax + 1;

function named(size: number, salt = 0): NamedBlob {
  const bytes = blobOf(size, salt);
  return { digest: digestBlob(bytes), bytes };
}

/** What became of each: 'new', 'existed', or the code of its error. */
async function fates(store: BlobStore, blobs: readonly NamedBlob[], signal?: AbortSignal): Promise<string[]> {
  const answers = await store.writeMany(blobs, { signal });
  return answers.map((answer) => (answer instanceof Error ? errorCode(answer) : answer.existed ? 'existed' : 'new'));
}

export function writeManyTests(subject: StoreUnderTest): void {
  itOn(subject, 'keeps blobs of all sizes, and answers in order', async ({ store }) => {
    const sizes = [1, 0, 1000, large, 1024, 2048, limits.gatheredPayloadBytesMax, limits.gatheredPayloadBytesMax + 1];
    const blobs = [...sizes, limits.packedBlobBytesMax, 300_000, 31].map((size) => named(size));
    const answers = await store.writeMany(blobs);
    expect(answers).toHaveLength(blobs.length);
    for (const [i, { digest, bytes }] of blobs.entries()) {
      const answer = answers[i]!;
      if (answer instanceof Error) throw answer;
      expectSameDigest(answer.digest, digest);
      expect(answer).toMatchObject({ existed: digest.size === 0, durability: subject.durability });
      await expectBlob(store, digest, bytes);
    }
    expect(await fates(store, blobs)).toEqual(blobs.map(() => 'existed'));
    expect(await store.writeMany([])).toEqual([]);
  });

  itOn(subject, 'keeps more blobs than fit into one step', async ({ store }) => {
    const count = 2 * limits.writeSliceCountMax + 10;
    const blobs = Array.from({ length: count }, (_, i) => named(50 + (i % 7), i));
    expect(await fates(store, blobs)).toEqual(blobs.map(() => 'new'));
    expect(await store.stat(blobs.map(({ digest }) => digest.hash))).toEqual(
      blobs.map(({ digest: { size } }) => ({ size })),
    );
    for (const { digest, bytes } of [blobs[0]!, blobs[limits.writeSliceCountMax]!, blobs.at(-1)!]) {
      await expectBlob(store, digest, bytes);
    }
  });

  itOn(subject, 'refuses those that are not what they are called, and no others', async ({ store }) => {
    const good = [named(1000), named(large), named(70)];
    const other = named(999);
    const wrong: NamedBlob[] = [
      { digest: other.digest, bytes: blobOf(999, 1) },
      { digest: toDigest(other.digest.hash, 1000), bytes: other.bytes },
      { digest: named(large, 1).digest, bytes: blobOf(large, 2) },
      { digest: emptyDigest, bytes: blobOf(3) },
      { digest: toDigest(emptyDigest.hash, 1), bytes: new Uint8Array(0) },
    ];
    const mixed = [wrong[0]!, good[0]!, wrong[1]!, wrong[2]!, good[1]!, wrong[3]!, wrong[4]!, good[2]!];
    const bad = 'digest_mismatch';
    expect(await fates(store, mixed)).toEqual([bad, 'new', bad, bad, 'new', bad, bad, 'new']);
    for (const { digest, bytes } of good) await expectBlob(store, digest, bytes);
    await expectAbsent(store, other.digest, digestBlob(blobOf(999, 1)), digestBlob(blobOf(large, 2)));
    expect(await fates(store, [other])).toEqual(['new']);
  });

  itOn(subject, 'commits each of equal blobs once', async ({ store }) => {
    for (const size of [1000, large]) {
      const blob = named(size);
      const found = await fates(store, [blob, named(20, size), blob, blob]);
      const first = [found[0], found[2], found[3]].filter((fate) => fate === 'new').length;
      expect(found[1]).toBe('new');
      if (subject.existedInRaces) expect(first).toBe(1);
      else expect(first).toBeGreaterThanOrEqual(1);
      await expectBlob(store, blob.digest, blob.bytes);
    }
    if (subject.usage) expect(await store.usage()).toEqual({ blobs: 4, bytes: 1000 + large + 40 });
  });

  itOn(subject, 'shares blobs with other writers at the same time', async ({ store }) => {
    const blobs = Array.from({ length: 40 }, (_, i) => named(i % 10 === 0 ? large + i : 100 + i));
    const singles = blobs.map(async ({ digest, bytes }) => {
      const { existed } = await store.write(bytes, { expect: digest });
      return existed ? 'existed' : 'new';
    });
    const all = await Promise.all([fates(store, blobs), fates(store, blobs.toReversed()), Promise.all(singles)]);
    const [there, back, alone] = all;
    for (const [i, { digest, bytes }] of blobs.entries()) {
      const found = [there[i], back[blobs.length - 1 - i], alone[i]];
      expect(found.every((fate) => fate === 'new' || fate === 'existed')).toBe(true);
      const first = found.filter((fate) => fate === 'new').length;
      if (subject.existedInRaces) expect(first, `writers of ${digest.size} bytes told they were first`).toBe(1);
      else expect(first).toBeGreaterThanOrEqual(1);
      await expectBlob(store, digest, bytes);
    }
  });

  itOn(subject, 'stores again what was deleted', async ({ store }) => {
    const blobs = [named(500), named(600), named(large)];
    await fates(store, blobs);
    const hashes = blobs.map(({ digest }) => digest.hash);
    expect(await store.delete(hashes)).toEqual([true, true, true]);
    expect(await fates(store, blobs)).toEqual(['new', 'new', 'new']);
    for (const { digest, bytes } of blobs) await expectBlob(store, digest, bytes);
  });

  itOn(subject, 'does not keep the arrays it was given', async ({ store }) => {
    const blobs = [named(800), named(20_000), named(large)];
    await fates(store, blobs);
    for (const { bytes } of blobs) bytes.fill(0xdd);
    for (const { digest } of blobs) await expectBlob(store, digest, blobOf(digest.size));
  });

  itOn(subject, 'answers with canceled, and leaves nothing, when it was canceled before', async ({ store }) => {
    const blobs = [named(500), named(large)];
    expect(await fates(store, blobs, AbortSignal.abort())).toEqual(['canceled', 'canceled']);
    await expectAbsent(store, ...blobs.map(({ digest }) => digest));
  });

  itOn(subject, 'ends before the store is closed, and does not begin after', async ({ store, reopen }) => {
    const blobs = Array.from({ length: limits.writeSliceCountMax + 20 }, (_, i) => named(64, i));
    const writing = fates(store, blobs);
    await store.close();
    expect(await writing).toEqual(blobs.map(() => 'new'));
    expect(await codeOf(store.writeMany(blobs))).toBe('unavailable');
    const reopened = await reopen?.();
    if (reopened === undefined) return;
    for (const { digest, bytes } of [blobs[0]!, blobs.at(-1)!]) await expectBlob(reopened, digest, bytes);
  });
}
