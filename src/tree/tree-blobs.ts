// Which blobs a tree needs.

import type { BlobHash, Digest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import type { NodeSource } from './node-source.js';

export interface TreeBlobs {
  /** Nodes that were read. */
  readonly nodes: readonly Digest[];
  /** Nodes that the source does not have. What lies below them is not known. */
  readonly missingNodes: readonly Digest[];
  /** Contents of files, each once in a batch; whether they are there is for the caller to ask. */
  readonly files: readonly Digest[];
}

/** All blobs a tree is made of, in batches. `not_found` without the root. */
// biome-ignore lint/correctness/useYield: not there yet
export async function* treeBlobs(_source: NodeSource, _root: BlobHash): AsyncGenerator<TreeBlobs> {
  throw new CairnError('unimplemented', 'treeBlobs');
}
