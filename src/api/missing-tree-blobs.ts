// Which blobs of a tree are not in the store, found by walking its nodes and asking for its files in slices, so that a large
// tree never holds the event loop.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BlobStore } from '../base/blob-store.js';
import type { BlobHash, Digest } from '../base/digest.js';
import { limits } from '../base/limits.js';
import { treeBlobs } from '../tree/tree-blobs.js';
import { callNodes } from './tree-nodes.js';

/**
 * Missing nodes and files as they are found; a digest may come more than once. A blob of that hash with another size is
 * no match. `not_found` without the root, `invalid_argument` when the tree breaks a rule, `canceled` by the signal.
 */
export async function* missingTreeBlobs(
  store: BlobStore,
  root: BlobHash,
  signal: AbortSignal,
): AsyncGenerator<Digest, void, undefined> {
  for await (const { missingNodes, files } of treeBlobs(callNodes(store, signal), root)) {
    yield* missingNodes;
    for (let start = 0; start < files.length; start += limits.lookupSliceCountMax) {
      const slice = files.slice(start, start + limits.lookupSliceCountMax);
      const stats = await store.stat(slice.map(({ hash }) => hash));
      yield* slice.filter(({ size }, index) => stats[index]?.size !== size);
      await nextTurn();
    }
  }
}
