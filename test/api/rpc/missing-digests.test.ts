import { create } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { missingDigests } from '../../../src/api/rpc/missing-digests.js';
import type { BlobHash } from '../../../src/base/digest.js';
import { limits } from '../../../src/base/limits.js';
import { TurnBudget } from '../../../src/base/node/turn-budget.js';
import { MemoryStore } from '../../../src/cas/memory-store.js';
import { DigestSchema } from '../../../src/gen/zako/v1/digest/digest_pb.js';
import { freshBlob } from '../../conformance/wire-blobs.js';

const never = new AbortController().signal;
const lookups = new TurnBudget(limits.lookupSliceCountMax);

/** Notes the questions asked of it, and how many were under way at once. */
class AskedStore extends MemoryStore {
  readonly asked: number[] = [];
  underWay = 0;
  underWayMax = 0;

  override async stat(hashes: readonly BlobHash[]) {
    this.asked.push(hashes.length);
    this.underWayMax = Math.max(this.underWayMax, ++this.underWay);
    await new Promise((resolve) => setTimeout(resolve, 5));
    this.underWay--;
    return super.stat(hashes);
  }
}

function digests(count: number) {
  return Array.from({ length: count }, (_, index) => {
    const blake3 = new Uint8Array(32);
    new DataView(blake3.buffer).setUint32(0, index);
    return create(DigestSchema, { sizeBytes: 9n, blake3 });
  });
}

it('asks in slices, so many at once, and answers in order', async () => {
  const store = new AskedStore();
  const asked = digests(2 * limits.lookupSliceCountMax);
  const blob = freshBlob(9);
  await store.write(blob.bytes);
  asked[100] = create(DigestSchema, blob.message);
  const missing = await missingDigests(
    { store, negotiateConcurrency: 3, lookups },
    [...asked, ...asked.slice(0, 5)],
    never,
  );
  expect(missing).toEqual(asked.filter((_, index) => index !== 100));
  expect(store.asked).toHaveLength(7);
  expect(3 * Math.max(...store.asked)).toBeLessThan(limits.lookupSliceCountMax + 3);
  expect(store.underWayMax).toBe(3);
});

it('refuses too many before it asks the store anything', async () => {
  const store = new AskedStore();
  const asked = digests(limits.digestsPerRequestCountMax + 1);
  await expect(missingDigests({ store, negotiateConcurrency: 3, lookups }, asked, never)).rejects.toMatchObject({
    code: 'too_large',
  });
  expect(store.asked).toEqual([]);
});

it('stops when it is canceled', async () => {
  const store = new AskedStore();
  const abort = new AbortController();
  const answer = missingDigests({ store, negotiateConcurrency: 1, lookups }, digests(65_536), abort.signal);
  setTimeout(() => abort.abort(), 12);
  await expect(answer).rejects.toMatchObject({ code: 'canceled' });
  expect(store.asked.length).toBeLessThan(20);
});

it('gives others a turn between slices', async () => {
  const asked = digests(65_536);
  let turns = 0;
  let counting = true;
  const count = () => {
    turns++;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  await missingDigests({ store: new MemoryStore(), negotiateConcurrency: 4, lookups }, asked, never);
  counting = false;
  expect(turns).toBeGreaterThan(1.7 * (65_536 / limits.lookupSliceCountMax));
});
