// Reads a tree from its nodes.

import type { BlobHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import type { NodeSource } from './node-source.js';
import type { TreeItem } from './tree-item.js';

export type { NodeSource } from './node-source.js';

export interface ItemsOptions {
  /** Only the entry at this path and those below it; absent or empty for all. */
  readonly path?: string | undefined;
  /** Only entries whose path comes later than this one. */
  readonly after?: string | undefined;
}

export class TreeReader {
  readonly itemCount: number = 0;
  readonly fileBytes: number = 0;

  /** `not_found` without the root's blob; `invalid_argument` when it is no node of a tree. */
  static async open(_source: NodeSource, _root: BlobHash): Promise<TreeReader> {
    throw new CairnError('unimplemented', 'TreeReader');
  }

  /** In order of path. Nodes without such entries are not read. */
  // biome-ignore lint/correctness/useYield: not there yet
  async *items(_options: ItemsOptions = {}): AsyncGenerator<TreeItem> {
    throw new CairnError('unimplemented', 'items');
  }

  /** The entry at exactly this path. A directory that holds something has none. */
  async find(_path: string): Promise<TreeItem | undefined> {
    throw new CairnError('unimplemented', 'find');
  }
}
