// The bytes of a tree's nodes: messages `cairn.v1.Tree` in exactly one encoding (docs/FORMATS.md).

import type { Digest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import type { TreeItem } from './tree-item.js';

export type TreeNode =
  | { readonly kind: 'leaf'; readonly items: readonly TreeItem[] }
  | { readonly kind: 'branch'; readonly parts: readonly TreePart[] };

/** A child of a branch, and what the whole of it holds. */
export interface TreePart {
  readonly node: Digest;
  /** Path of the first entry below it. */
  readonly firstPath: string;
  /** Entries below it. */
  readonly itemCount: number;
  /** Sum of the sizes of the files below it, equal files counted as often as they appear. */
  readonly fileBytes: number;
}

/** The node's one encoding. Checks nothing. */
export function encodeNode(_node: TreeNode): Uint8Array {
  throw new CairnError('unimplemented', 'encodeNode');
}

/** `invalid_argument` unless the bytes are the one encoding of a node whose entries are in order and allowed. */
export function decodeNode(_bytes: Uint8Array): TreeNode {
  throw new CairnError('unimplemented', 'decodeNode');
}
