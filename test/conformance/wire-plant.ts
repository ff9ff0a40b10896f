// Puts blobs and the nodes of trees where a caller's server has them.

import type { BlobHash } from '../../src/base/digest.js';
import { buildTree } from '../../src/tree/build-tree.js';
import type { TreeItem } from '../../src/tree/tree-item.js';
import { sorted } from '../support/trees.js';
import { namedBlob, type TestBlob } from './wire-blobs.js';
import type { WireCaller } from './wire-caller.js';

/** Stores blobs, those that others stored before as well. */
export async function keepBlobs({ blobs: service }: WireCaller, blobs: readonly TestBlob[]): Promise<void> {
  for (let start = 0; start < blobs.length; start += 100) {
    const batch = blobs.slice(start, start + 100);
    await service.batchWrite({ items: batch.map(({ bytes, message }) => ({ digest: message, data: bytes })) });
  }
}

export interface BuiltTree {
  readonly root: BlobHash;
  readonly nodes: readonly TestBlob[];
}

export async function builtTree(items: readonly TreeItem[]): Promise<BuiltTree> {
  const nodes: TestBlob[] = [];
  const { digest } = await buildTree(sorted(items), (_, bytes) => void nodes.push(namedBlob(bytes)));
  return { root: digest.hash, nodes };
}

/** Stores the nodes of a tree, its files not. */
export async function plantTree(caller: WireCaller, tree: BuiltTree | readonly TreeItem[]): Promise<BlobHash> {
  const { root, nodes } = 'root' in tree ? tree : await builtTree(tree);
  await keepBlobs(caller, nodes);
  return root;
}
