// What lies in one directory of a tree, for those who ask over plain HTTP.

import { formatHash } from '../../base/digest.js';
import { limits } from '../../base/limits.js';
import type { TreeItem } from '../../tree/tree-item.js';
import type { TreeReader } from '../../tree/tree-reader.js';

export interface TreeListing {
  readonly entries: readonly ListedEntry[];
  /** There are more than fit. */
  readonly goesOn: boolean;
}

interface ListedEntry {
  readonly name: string;
  readonly kind: TreeItem['kind'];
  readonly digest?: string;
  readonly size?: number;
  readonly executable?: true;
  readonly readonly?: true;
  readonly target?: string;
}

/** The entries in order of name's bytes, with those of directories taken for `name/`. Directories are passed over, not read. */
export async function listDirectory(reader: TreeReader, directory: string): Promise<TreeListing> {
  const entries: ListedEntry[] = [];
  let freeBytes = limits.answerBytesMax;
  for await (const item of children(reader, directory)) {
    const entry = toEntry(item, directory);
    freeBytes -= Buffer.byteLength(JSON.stringify(entry)) + 1;
    if (entries.length === limits.treeListingCountMax || freeBytes < 0) return { entries, goesOn: true };
    entries.push(entry);
  }
  return { entries, goesOn: false };
}

/** Items right inside a directory; directories among them stand for all they hold. */
async function* children(reader: TreeReader, directory: string): AsyncGenerator<TreeItem, void, undefined> {
  const prefix = directory === '' ? '' : `${directory}/`;
  let after: string | undefined = directory;
  while (after !== undefined) {
    const items = reader.items({ path: directory, after });
    after = undefined;
    for await (const item of items) {
      const slash = item.path.indexOf('/', prefix.length);
      if (slash < 0) {
        yield item;
        continue;
      }
      const path = item.path.slice(0, slash);
      yield { kind: 'directory', path };
      // All that lies below begins with `path/`; the first path that may come after that is `path0`.
      after = `${path}0`;
      const neighbour = await reader.find(after);
      if (neighbour !== undefined) yield neighbour;
      break;
    }
  }
}

function toEntry(item: TreeItem, directory: string): ListedEntry {
  const name = directory === '' ? item.path : item.path.slice(directory.length + 1);
  const { kind } = item;
  if (item.kind === 'symlink') return { name, kind, target: item.target };
  if (item.kind === 'directory') return { name, kind };
  const { digest, executable, readonly } = item;
  return {
    name,
    kind,
    digest: formatHash(digest.hash),
    size: digest.size,
    ...(executable && { executable }),
    ...(readonly && { readonly }),
  };
}
