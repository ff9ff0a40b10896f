// What two trees do not have in common.

import type { BlobHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import type { NodeSource } from './node-source.js';
import type { TreeItem } from './tree-item.js';

/** A path at which two trees differ; at least one side is there. */
export interface TreeChange {
  readonly before: TreeItem | undefined;
  readonly after: TreeItem | undefined;
}

/** In order of path, only paths later than `from`. Nodes that both trees share are not read. */
// biome-ignore lint/correctness/useYield: not there yet
export async function* diffTrees(
  _source: NodeSource,
  _before: BlobHash,
  _after: BlobHash,
  _from?: string,
): AsyncGenerator<TreeChange> {
  throw new CairnError('unimplemented', 'diffTrees');
}
