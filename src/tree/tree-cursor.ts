// A place in a tree, from left to right. Before it lies what was passed; at it, a part that nobody has looked into, or an
// entry. Whoever holds it decides whether to enter a part or to pass it unread.

import { assert } from '../base/errors.js';
import { type LoadedNode, missing, type NodeLoader } from './node-loader.js';
import { comparePaths, type TreeItem } from './tree-item.js';
import type { TreeNode, TreePart } from './tree-node.js';

interface Frame {
  readonly node: TreeNode;
  /** All paths in the node come before this one. */
  readonly bound: string | undefined;
  index: number;
}

export class TreeCursor {
  readonly #loader: NodeLoader;
  readonly #after: string | undefined;
  /** Nodes that were entered and not left, the root first. */
  readonly #frames: Frame[] = [];

  /** Begins behind the path `after`; a part that has entries on both sides of it is met as a whole. */
  constructor(loader: NodeLoader, root: LoadedNode, after?: string) {
    this.#loader = loader;
    this.#after = after;
    this.#push(root.node, undefined);
  }

  /** What is here; undefined at the end. */
  peek(): TreeItem | TreePart | undefined {
    for (;;) {
      const frame = this.#frames.at(-1);
      if (frame === undefined) return undefined;
      const here = frame.node.kind === 'leaf' ? frame.node.items[frame.index] : frame.node.parts[frame.index];
      if (here !== undefined) return here;
      this.#frames.pop();
    }
  }

  /** Passes what is here. */
  pass(): void {
    this.#frames.at(-1)!.index++;
  }

  /** Goes into the part that is here. False, and nothing happens, when its node is missing. */
  async tryEnter(): Promise<boolean> {
    const { node, index, bound } = this.#frames.at(-1)!;
    assert(node.kind === 'branch', 'only parts can be entered');
    const end = node.parts[index + 1]?.firstPath ?? bound;
    const child = await this.#loader.child(node.parts[index]!, end, this.#frames.length);
    if (child === undefined) return false;
    this.pass();
    this.#push(child.node, end);
    return true;
  }

  /** `not_found` when the node is missing. */
  async enter(part: TreePart): Promise<void> {
    if (!(await this.tryEnter())) throw missing(part.node.hash);
  }

  #push(node: TreeNode, bound: string | undefined): void {
    this.#frames.push({ node, bound, index: this.#after === undefined ? 0 : firstBehind(node, this.#after) });
  }
}

export function isPart(entry: TreeItem | TreePart): entry is TreePart {
  return 'node' in entry;
}

/** Index of the first entry that comes after the path, or of the first part that may hold one. */
function firstBehind(node: TreeNode, path: string): number {
  if (node.kind === 'leaf') return countUpTo(node.items, (item) => item.path, path);
  return Math.max(0, countUpTo(node.parts, (part) => part.firstPath, path) - 1);
}

/** How many of the sorted elements have a path up to this one. */
export function countUpTo<T>(sorted: readonly T[], pathOf: (element: T) => string, path: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comparePaths(pathOf(sorted[middle]!), path) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
