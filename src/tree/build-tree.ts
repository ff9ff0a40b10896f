// Builds a tree from its entries, bottom-up, holding one open node for each level. Where nodes begin depends on paths
// alone: an entry begins a new leaf when byte 0 of the BLAKE3 hash of its path ends in five zero bits, one in 32; a node
// begins a new parent when byte `level` of the hash of its first path does. So a changed file changes one node of each
// level and moves no border, and a tree does not remember how it came to be. A node that would become too large ends
// early, counted by an estimate that again leaves out everything of a file but its path.

import type { Digest } from '../base/digest.js';
import { assert, CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { digestBlob, hashBytes } from '../blake3/hasher.js';
import { checkItem, type TreeItem } from './tree-item.js';
import { encodeNode, type TreePart } from './tree-node.js';
import { TreeOrder } from './tree-order.js';

export interface TreeRoot {
  readonly digest: Digest;
  readonly itemCount: number;
  /** Sum of the sizes of the files, equal files counted as often as they appear. */
  readonly fileBytes: number;
}

/** Takes a node; the bytes are the callee's. */
export type NodeSink = (node: Digest, bytes: Uint8Array) => void | Promise<void>;

/** Of one byte of a hash: all these bits are zero where a node begins. */
const borderBits = 0b11111;
/** More than an entry or a part takes in its node beside its path and target. */
const overheadBytes = 80;

/**
 * Takes the entries in order of path and hands each node to `store` before its parent, the root last, waiting for each.
 * The same entries always make the same tree; none make the empty blob. `invalid_argument` when an entry breaks a rule.
 */
export async function buildTree(
  items: Iterable<TreeItem> | AsyncIterable<TreeItem>,
  store: NodeSink,
): Promise<TreeRoot> {
  const builder = new TreeBuilder(store);
  const order = new TreeOrder();
  for await (const item of items) {
    checkItem(item);
    order.check(item);
    const stored = builder.addItem(item);
    if (stored !== undefined) await stored;
  }
  return builder.finish();
}

/** The node under construction on one level. Leaves are level 0. */
interface OpenNode {
  items: TreeItem[];
  parts: TreePart[];
  /** Estimate of its bytes, never too low. */
  weight: number;
}

class TreeBuilder {
  readonly #store: NodeSink;
  readonly #levels: OpenNode[] = [emptyNode()];
  readonly #pathBytes = new Uint8Array(limits.treePathBytesMax);

  constructor(store: NodeSink) {
    this.#store = store;
  }

  /** A promise when there is something to wait for. */
  addItem(item: TreeItem): Promise<void> | undefined {
    const path = this.#encodePath(item.path);
    const target = item.kind === 'symlink' ? new TextEncoder().encode(item.target).length : 0;
    const weight = path.length + target + overheadBytes;
    const leaf = this.#levels[0]!;
    if (leaf.items.length > 0 && (beginsNode(path, 0) || leaf.weight + weight > limits.treeNodeBytesMax)) {
      return this.#close(0).then(() => this.#put(item, weight));
    }
    this.#put(item, weight);
    return undefined;
  }

  #put(item: TreeItem, weight: number): void {
    const leaf = this.#levels[0]!;
    leaf.items.push(item);
    leaf.weight += weight;
  }

  async #addPart(level: number, part: TreePart): Promise<void> {
    assert(level < limits.treeHeightMax, 'every level has at most half the nodes of the one below');
    const path = this.#encodePath(part.firstPath);
    const weight = path.length + overheadBytes;
    const begins = beginsNode(path, level);
    this.#levels[level] ??= emptyNode();
    const { parts, weight: before } = this.#levels[level];
    // Two parts at least, or chosen names could pile up levels without end.
    if (parts.length >= 2 && (begins || before + weight > limits.treeNodeBytesMax)) await this.#close(level);
    const open = this.#levels[level];
    open.parts.push(part);
    open.weight += weight;
  }

  async finish(): Promise<TreeRoot> {
    for (let level = 0; level < this.#levels.length - 1; level++) await this.#close(level);
    const { node, itemCount, fileBytes } = await this.#emit(this.#levels.at(-1)!);
    return { digest: node, itemCount, fileBytes };
  }

  /** Ends a level's node, which holds something, and enters it in its parent. */
  async #close(level: number): Promise<void> {
    const open = this.#levels[level]!;
    this.#levels[level] = emptyNode();
    await this.#addPart(level + 1, await this.#emit(open));
  }

  async #emit({ items, parts }: OpenNode): Promise<TreePart> {
    const bytes = encodeNode(parts.length > 0 ? { kind: 'branch', parts } : { kind: 'leaf', items });
    assert(bytes.length <= limits.treeNodeBytesMax, 'the estimate of a node is never too low');
    const part = partOf(digestBlob(bytes), items, parts);
    await this.#store(part.node, bytes);
    return part;
  }

  /** Valid until the next call. */
  #encodePath(path: string): Uint8Array {
    const { written } = new TextEncoder().encodeInto(path, this.#pathBytes);
    return this.#pathBytes.subarray(0, written);
  }
}

function emptyNode(): OpenNode {
  return { items: [], parts: [], weight: 0 };
}

/** What a parent says of a node. Without a first path for the empty tree, which has no parent. */
function partOf(node: Digest, items: readonly TreeItem[], parts: readonly TreePart[]): TreePart {
  let itemCount = items.length;
  let fileBytes = 0;
  for (const item of items) if (item.kind === 'file') fileBytes += item.digest.size;
  for (const part of parts) {
    itemCount += part.itemCount;
    fileBytes += part.fileBytes;
  }
  if (!Number.isSafeInteger(fileBytes)) {
    throw new CairnError('invalid_argument', 'the files are larger together than can be counted');
  }
  return { node, firstPath: items[0]?.path ?? parts[0]?.firstPath ?? '', itemCount, fileBytes };
}

/** A hash has as many bytes as a tree may have levels. */
function beginsNode(path: Uint8Array, level: number): boolean {
  return (hashBytes(path)[level]! & borderBits) === 0;
}
