// Reads nodes and holds each to what its parent said of it, so that whoever walks a tree of strangers meets every entry
// where it belongs: sizes and sums are right, a part begins at its first path and ends before the next part begins, and
// the tree is not too deep. What is not read is not checked. Keeps the nodes used last.

import { type BlobHash, type Digest, formatHash, hashHex, toDigest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { NodeSource } from './node-source.js';
import { comparePaths } from './tree-item.js';
import { decodeNode, type TreeNode, type TreePart } from './tree-node.js';

export interface LoadedNode {
  readonly node: TreeNode;
  readonly digest: Digest;
  readonly itemCount: number;
  readonly fileBytes: number;
}

export class NodeLoader {
  readonly #source: NodeSource;
  /** By hash in hex, the one used longest ago first. */
  readonly #kept = new Map<string, LoadedNode>();

  constructor(source: NodeSource) {
    this.#source = source;
  }

  /** `not_found` without the blob; `invalid_argument` when it is no node. */
  async root(hash: BlobHash): Promise<LoadedNode> {
    const loaded = await this.#load(hash);
    if (loaded === undefined) throw missing(hash);
    return loaded;
  }

  /**
   * The node of a part; undefined when the source does not have it. All its paths must come before `bound`. `level` counts
   * from 0 at the root. `invalid_argument` when it is not what the part says.
   */
  async child(part: TreePart, bound: string | undefined, level: number): Promise<LoadedNode | undefined> {
    if (level >= limits.treeHeightMax) throw refused(part, `lies more than ${limits.treeHeightMax} levels deep`);
    const loaded = await this.#load(part.node.hash);
    if (loaded === undefined) return undefined;
    if (loaded.digest.size !== part.node.size) throw refused(part, 'has another size than its parent says');
    if (loaded.itemCount !== part.itemCount) throw refused(part, 'has another number of entries than its parent says');
    if (loaded.fileBytes !== part.fileBytes)
      throw refused(part, 'has more or fewer bytes in files than its parent says');
    const { first, last } = ends(loaded.node);
    if (first !== part.firstPath) throw refused(part, 'does not begin where its parent says');
    if (bound !== undefined && comparePaths(last!, bound) >= 0) throw refused(part, 'reaches into the part after it');
    return loaded;
  }

  async #load(hash: BlobHash): Promise<LoadedNode | undefined> {
    const hex = hashHex(hash);
    let loaded = this.#kept.get(hex);
    if (loaded === undefined) {
      const bytes = await this.#source(hash);
      if (bytes === undefined) return undefined;
      const node = decodeNode(bytes);
      loaded = { node, digest: toDigest(hash, bytes.length), ...sums(node) };
    }
    this.#kept.delete(hex);
    this.#kept.set(hex, loaded);
    if (this.#kept.size > limits.treeNodesKeptCountMax) this.#kept.delete(this.#kept.keys().next().value!);
    return loaded;
  }
}

export function missing(hash: BlobHash): CairnError {
  return new CairnError('not_found', `node ${formatHash(hash)} of the tree is missing`);
}

function ends(node: TreeNode): { first: string | undefined; last: string | undefined } {
  if (node.kind === 'leaf') return { first: node.items[0]?.path, last: node.items.at(-1)?.path };
  return { first: node.parts[0]!.firstPath, last: node.parts.at(-1)!.firstPath };
}

/** What a node holds; of a branch, what its parts say they hold. */
function sums(node: TreeNode): { itemCount: number; fileBytes: number } {
  let itemCount = 0;
  let fileBytes = 0;
  if (node.kind === 'leaf') {
    itemCount = node.items.length;
    for (const item of node.items) if (item.kind === 'file') fileBytes += item.digest.size;
  } else {
    for (const part of node.parts) {
      itemCount += part.itemCount;
      fileBytes += part.fileBytes;
    }
  }
  if (!Number.isSafeInteger(itemCount) || !Number.isSafeInteger(fileBytes)) {
    throw new CairnError('invalid_argument', 'a tree claims to hold more than can be counted');
  }
  return { itemCount, fileBytes };
}

function refused(part: TreePart, reason: string): CairnError {
  const node = `${formatHash(part.node.hash)}, from ${JSON.stringify(part.firstPath)} on`;
  return new CairnError('invalid_argument', `the tree is not well formed: node ${node}, ${reason}`);
}
