// Where nodes of trees are read from.

import type { BlobStore } from '../base/blob-store.js';
import type { BlobHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';

/**
 * The bytes of a blob that is said to be a node; undefined when it is absent. The source vouches that the bytes have that
 * hash, as every `BlobStore` and the client do, and refuses to load more than `treeNodeBytesMax`.
 */
export type NodeSource = (hash: BlobHash) => Promise<Uint8Array | undefined>;

/** Nodes out of a store. `invalid_argument` for a blob too large to be a node, before any of it is read. */
export function nodesOf(_store: BlobStore): NodeSource {
  throw new CairnError('unimplemented', 'nodesOf');
}
