// The blobs of the fault suite, made once: a few small ones that a segment takes several of, and large ones just too long
// to be packed. The workloads take few, so that they meet.

import type { BlobStore } from '../../src/base/blob-store.js';
import { type BlobHash, type Digest, hashHex } from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { seededRandom } from '../support/random.js';

export interface TestBlob {
  readonly digest: Digest;
  readonly hex: string;
  readonly bytes: Uint8Array;
}

function makeBlobs(seed: number, sizes: readonly number[]): TestBlob[] {
  const random = seededRandom(seed);
  return sizes.map((size) => {
    const bytes = random.bytes(size);
    const digest = digestBlob(bytes);
    return { bytes, digest, hex: hashHex(digest.hash) };
  });
}

const { packedBlobBytesMax } = limits;

export const blobs: readonly TestBlob[] = makeBlobs(
  1,
  [1, 100, 511, 700, 1200, 1500, 1900, 2300, 2800, 3300, 3900, 5000].concat(
    packedBlobBytesMax + 1,
    packedBlobBytesMax + 2,
    packedBlobBytesMax + 700,
  ),
);

/** Never written by a workload. */
export const freshBlobs: readonly TestBlob[] = makeBlobs(2, [900, packedBlobBytesMax + 3]);

/** All bytes of a blob; undefined when the store does not have it. */
export async function readWhole(store: BlobStore, hash: BlobHash): Promise<Uint8Array | undefined> {
  const handle = await store.open(hash);
  if (handle === undefined) return undefined;
  try {
    return await handle.read({ start: 0, end: handle.digest.size });
  } finally {
    await handle.close();
  }
}
