// Reads a tree from its nodes: all of it, what lies at or below a path, or one entry. Every node on the way is checked
// against its parent, and every entry against those before it; a tree made by strangers yields nothing that could not
// come from an honest one, or fails with `invalid_argument`. A read of a part says nothing of the rest.

import type { BlobHash } from '../base/digest.js';
import { type LoadedNode, missing, NodeLoader } from './node-loader.js';
import type { NodeSource } from './node-source.js';
import { countUpTo, isPart, TreeCursor } from './tree-cursor.js';
import { comparePaths, type TreeItem } from './tree-item.js';
import { TreeOrder } from './tree-order.js';

export type { NodeSource } from './node-source.js';

export interface ItemsOptions {
  /** Only the entry at this path and those below it; absent or empty for all. */
  readonly path?: string | undefined;
  /** Only entries whose path comes later than this one. */
  readonly after?: string | undefined;
}

export class TreeReader {
  readonly itemCount: number;
  /** Sum of the sizes of the files, equal files counted as often as they appear. */
  readonly fileBytes: number;
  readonly #loader: NodeLoader;
  readonly #root: LoadedNode;

  private constructor(loader: NodeLoader, root: LoadedNode) {
    this.#loader = loader;
    this.#root = root;
    this.itemCount = root.itemCount;
    this.fileBytes = root.fileBytes;
  }

  /** `not_found` without the root's blob; `invalid_argument` when it is no node of a tree. */
  static async open(source: NodeSource, root: BlobHash): Promise<TreeReader> {
    const loader = new NodeLoader(source);
    return new TreeReader(loader, await loader.root(root));
  }

  /**
   * In order of path. Nodes without such entries are not read. `not_found` when a node is missing, `invalid_argument` when
   * the tree is not well formed; what came before that was right as far as it goes.
   */
  async *items({ path = '', after = '' }: ItemsOptions = {}): AsyncGenerator<TreeItem> {
    const order = new TreeOrder();
    if (path === '') {
      yield* this.#between(after, undefined, order);
      return;
    }
    if (comparePaths(path, after) > 0) {
      const item = await this.find(path);
      if (item !== undefined) {
        order.check(item);
        yield item;
      }
    }
    // '0' follows '/'.
    const below = `${path}/`;
    yield* this.#between(comparePaths(below, after) > 0 ? below : after, `${path}0`, order);
  }

  async *#between(after: string, end: string | undefined, order: TreeOrder): AsyncGenerator<TreeItem> {
    const cursor = new TreeCursor(this.#loader, this.#root, after);
    for (let here = cursor.peek(); here !== undefined; here = cursor.peek()) {
      const path = isPart(here) ? here.firstPath : here.path;
      if (end !== undefined && comparePaths(path, end) >= 0) return;
      if (isPart(here)) {
        await cursor.enter(here);
      } else {
        order.check(here);
        yield here;
        cursor.pass();
      }
    }
  }

  /** The entry at exactly this path. A directory that holds something has none. Fails as `items` does. */
  async find(path: string): Promise<TreeItem | undefined> {
    let { node } = this.#root;
    let bound: string | undefined;
    for (let level = 1; node.kind === 'branch'; level++) {
      const index = countUpTo(node.parts, (part) => part.firstPath, path) - 1;
      const part = node.parts[index];
      if (part === undefined) return undefined;
      bound = node.parts[index + 1]?.firstPath ?? bound;
      const child = await this.#loader.child(part, bound, level);
      if (child === undefined) throw missing(part.node.hash);
      node = child.node;
    }
    const item = node.items[countUpTo(node.items, (one) => one.path, path) - 1];
    return item?.path === path ? item : undefined;
  }
}
