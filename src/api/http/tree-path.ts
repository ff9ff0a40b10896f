// Paths of URLs inside a tree: how they are spelled, and what they lead to. Links are followed as a file system would, and
// not for ever. Whatever a link says, names are looked up in the tree and nowhere else.

import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { FileItem, TreeItem } from '../../tree/tree-item.js';
import type { TreeReader } from '../../tree/tree-reader.js';

export interface TreePath {
  /** Names from the root of the tree; none for the root itself. */
  readonly names: readonly string[];
  /** The URL ends with a slash. */
  readonly endsInSlash: boolean;
}

/**
 * Reads what follows the tree's name in a URL, percent-encoded, its first slash included. `invalid_argument` when it is
 * not percent-encoded UTF-8, `not_found` for names that no tree has.
 */
export function parseTreePath(text: string): TreePath {
  const names = text.split('/').slice(1);
  const endsInSlash = names.at(-1) === '';
  if (endsInSlash) names.pop();
  return { names: names.map(parseName), endsInSlash };
}

function parseName(text: string): string {
  let name: string;
  try {
    name = decodeURIComponent(text);
  } catch {
    throw new CairnError('invalid_argument', `${JSON.stringify(text)} is not percent-encoded UTF-8`);
  }
  if (['', '.', '..'].includes(name) || /[/\0]/.test(name)) {
    throw new CairnError('not_found', `no tree has a name ${JSON.stringify(name)}`);
  }
  return name;
}

/** A file, or a directory by its own names, none of which is a link. */
export type TreePlace = FileItem | { readonly kind: 'directory'; readonly names: readonly string[] };

/** Where names lead; undefined when there is nothing. `not_found` when links lead on for too long. */
export async function findPlace(reader: TreeReader, names: readonly string[]): Promise<TreePlace | undefined> {
  // Most paths have no link on their way.
  const direct = names.length > 0 ? await reader.find(names.join('/')) : undefined;
  if (direct?.kind === 'file') return direct;

  const directory: string[] = [];
  /** Still to be taken, the next one last. */
  const ahead = [...names].reverse();
  for (let steps = 0; ahead.length > 0; steps++) {
    if (steps === limits.treePathStepsCountMax) throw new CairnError('not_found', 'too many links on the way');
    const name = ahead.pop()!;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      directory.pop();
      continue;
    }
    const found = await lookUp(reader, [...directory, name].join('/'));
    if (found === undefined) return undefined;
    if (found.kind === 'file') return ahead.length === 0 ? found : undefined;
    if (found.kind === 'directory') directory.push(name);
    else ahead.push(...found.target.split('/').reverse());
  }
  return { kind: 'directory', names: directory };
}

/** The entry at a path, also a directory that holds something. */
async function lookUp(reader: TreeReader, path: string): Promise<TreeItem | undefined> {
  for await (const item of reader.items({ path })) return item.path === path ? item : { kind: 'directory', path };
  return undefined;
}
