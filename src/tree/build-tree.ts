// Builds a tree from its entries.

import type { Digest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import type { TreeItem } from './tree-item.js';

export interface TreeRoot {
  readonly digest: Digest;
  readonly itemCount: number;
  /** Sum of the sizes of the files, equal files counted as often as they appear. */
  readonly fileBytes: number;
}

/**
 * Takes the entries in order of path and hands each node to `store` before its parent, the root last. The same entries
 * always make the same tree. `invalid_argument` when an entry breaks a rule.
 */
export async function buildTree(
  _items: Iterable<TreeItem> | AsyncIterable<TreeItem>,
  _store: (node: Digest, bytes: Uint8Array) => void | Promise<void>,
): Promise<TreeRoot> {
  throw new CairnError('unimplemented', 'buildTree');
}
