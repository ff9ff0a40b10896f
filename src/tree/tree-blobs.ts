// Which blobs a tree needs: its nodes, and the contents of its files. Goes on past nodes that are missing.

import { type BlobHash, type Digest, digestKey } from '../base/digest.js';
import { limits } from '../base/limits.js';
import { NodeLoader } from './node-loader.js';
import type { NodeSource } from './node-source.js';
import { isPart, TreeCursor } from './tree-cursor.js';
import { TreeOrder } from './tree-order.js';

export interface TreeBlobs {
  /** Nodes that were read. */
  readonly nodes: readonly Digest[];
  /** Nodes that the source does not have. What lies below them is not known. */
  readonly missingNodes: readonly Digest[];
  /** Contents of files, each once in a batch; whether they are there is for the caller to ask. */
  readonly files: readonly Digest[];
}

/**
 * All blobs a tree is made of, in batches of at most `treeBlobsBatchCountMax`. A blob may be named by several batches.
 * `not_found` without the root; `invalid_argument` when the tree is not well formed.
 */
export async function* treeBlobs(source: NodeSource, root: BlobHash): AsyncGenerator<TreeBlobs> {
  const loader = new NodeLoader(source);
  const loaded = await loader.root(root);
  const cursor = new TreeCursor(loader, loaded);
  const order = new TreeOrder();
  let batch = new Batch();
  batch.nodes.push(loaded.digest);
  for (let here = cursor.peek(); here !== undefined; here = cursor.peek()) {
    if (isPart(here)) {
      const found = await cursor.tryEnter();
      if (!found) cursor.pass();
      (found ? batch.nodes : batch.missingNodes).push(here.node);
    } else {
      order.check(here);
      if (here.kind === 'file') batch.addFile(here.digest);
      cursor.pass();
    }
    if (batch.count >= limits.treeBlobsBatchCountMax) {
      yield batch.take();
      batch = new Batch();
    }
  }
  if (batch.count > 0) yield batch.take();
}

class Batch {
  readonly nodes: Digest[] = [];
  readonly missingNodes: Digest[] = [];
  readonly #files = new Map<string, Digest>();

  get count(): number {
    return this.nodes.length + this.missingNodes.length + this.#files.size;
  }

  /** One hash under two sizes counts as two: at most one of them can be there. */
  addFile(digest: Digest): void {
    this.#files.set(digestKey(digest), digest);
  }

  take(): TreeBlobs {
    return { nodes: this.nodes, missingNodes: this.missingNodes, files: [...this.#files.values()] };
  }
}
