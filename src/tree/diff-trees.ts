// What two trees do not have in common: a merge of both that passes over nodes they share, so that the work is that of
// the difference, not of the trees.

import { type BlobHash, hashesEqual } from '../base/digest.js';
import { NodeLoader } from './node-loader.js';
import type { NodeSource } from './node-source.js';
import { isPart, TreeCursor } from './tree-cursor.js';
import { comparePaths, type TreeItem } from './tree-item.js';
import type { TreePart } from './tree-node.js';

/** A path at which two trees differ; at least one side is there. */
export interface TreeChange {
  readonly before: TreeItem | undefined;
  readonly after: TreeItem | undefined;
}

/**
 * In order of path, only paths later than `from`. A file that became a directory is a change at its own path and one for
 * each entry below. Nodes that both trees share are not read, so not checked either. Fails as `TreeReader` does.
 */
export async function* diffTrees(
  source: NodeSource,
  before: BlobHash,
  after: BlobHash,
  from = '',
): AsyncGenerator<TreeChange> {
  if (hashesEqual(before, after)) return;
  const loader = new NodeLoader(source);
  const left = new TreeCursor(loader, await loader.root(before), from);
  const right = new TreeCursor(loader, await loader.root(after), from);
  for (;;) {
    const [old, now] = [left.peek(), right.peek()];
    if (old === undefined && now === undefined) return;
    const order = compareEntries(old, now);
    // What comes first on one side is looked into, until both sides are at the same path.
    if (order < 0) {
      if (isPart(old!)) await left.enter(old);
      else {
        yield { before: old, after: undefined };
        left.pass();
      }
    } else if (order > 0) {
      if (isPart(now!)) await right.enter(now);
      else {
        yield { before: undefined, after: now };
        right.pass();
      }
    } else if (isPart(old!) || isPart(now!)) {
      if (isPart(old!) && isPart(now!) && hashesEqual(old.node.hash, now.node.hash)) {
        left.pass();
        right.pass();
      } else if (size(old!) >= size(now!)) await left.enter(old as TreePart);
      else await right.enter(now as TreePart);
    } else {
      if (!itemsEqual(old!, now!)) yield { before: old, after: now };
      left.pass();
      right.pass();
    }
  }
}

/** By first paths; the end of a tree comes after everything. */
function compareEntries(a: TreeItem | TreePart | undefined, b: TreeItem | TreePart | undefined): number {
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  return comparePaths(isPart(a) ? a.firstPath : a.path, isPart(b) ? b.firstPath : b.path);
}

/** Entries in a part; an entry by itself is smaller than any part. */
function size(entry: TreeItem | TreePart): number {
  return isPart(entry) ? entry.itemCount : 0;
}

function itemsEqual(a: TreeItem, b: TreeItem): boolean {
  if (a.kind === 'file' && b.kind === 'file') {
    const sameBytes = a.digest.size === b.digest.size && hashesEqual(a.digest.hash, b.digest.hash);
    return sameBytes && a.executable === b.executable && a.readonly === b.readonly;
  }
  if (a.kind === 'symlink' && b.kind === 'symlink') return a.target === b.target;
  return a.kind === b.kind;
}
