// Where nodes of trees are read from.

import type { BlobStore } from '../base/blob-store.js';
import type { BlobHash } from '../base/digest.js';
import { formatHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';

/**
 * The bytes of a blob that is said to be a node; undefined when it is absent. The source vouches that the bytes have that
 * hash, as every `BlobStore` and the client do; it refuses to load a blob that is too large to be a node. Nodes are asked
 * for one after the other: a source far away reads ahead by itself.
 */
export type NodeSource = (hash: BlobHash) => Promise<Uint8Array | undefined>;

/** Nodes out of a store. `invalid_argument` for a blob too large to be a node, before any of it is read. */
export function nodesOf(store: BlobStore): NodeSource {
  return async (hash) => {
    const handle = await store.open(hash);
    if (handle === undefined) return undefined;
    try {
      const { size } = handle.digest;
      if (size > limits.treeNodeBytesMax) {
        throw new CairnError(
          'invalid_argument',
          `${formatHash(hash)} has ${size} bytes, too many for a node of a tree`,
        );
      }
      return await handle.read({ start: 0, end: size });
    } finally {
      await handle.close();
    }
  };
}
