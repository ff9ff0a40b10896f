// cairn ls of a tree: its entries, or those at a path and below; and how entries of trees are shown.

import { formatHash, parseHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { treeSource } from '../client/tree-source.js';
import type { TreeItem } from '../tree/tree-item.js';
import { TreeReader } from '../tree/tree-reader.js';
import type { CommandContext } from './command-context.js';
import { digestJson, formatPath } from './format.js';

export async function lsTree(
  { client, signal, json, output }: CommandContext,
  text: string,
  path: string | undefined,
): Promise<void> {
  const reader = await TreeReader.open(treeSource(client, signal), parseHash(text));
  const below = path?.replace(/\/+$/, '');
  let found = false;
  for await (const item of reader.items({ path: below })) {
    found = true;
    output.line(json ? JSON.stringify(itemJson(item)) : formatItem(item));
    await output.room();
  }
  if (!found && below !== undefined && below !== '') throw notInTree(below);
}

export function notInTree(path: string): CairnError {
  return new CairnError('not_found', `there is no ${formatPath(path)} in the tree`);
}

/** Mode, size, digest and path, with a dash for what there is not: `-rw- 1234 blake3:<hex> path`, `l--- - - path -> target`. */
function formatItem(item: TreeItem): string {
  const path = formatPath(item.path);
  if (item.kind === 'directory') return `d--- - - ${path}`;
  if (item.kind === 'symlink') return `l--- - - ${path} -> ${formatPath(item.target)}`;
  const mode = `-r${item.readonly ? '-' : 'w'}${item.executable ? 'x' : '-'}`;
  return `${mode} ${item.digest.size} ${formatHash(item.digest.hash)} ${path}`;
}

export function itemJson(item: TreeItem): object {
  if (item.kind !== 'file') return item;
  const { kind, path, digest, executable, readonly } = item;
  return { kind, path, ...digestJson(digest), executable, readonly };
}
