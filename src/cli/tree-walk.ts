// A tree and a directory, gone through side by side in the tree's order. Entries below one directory follow each other in
// that order, so only the directories on the way to the present entry are held. What lies in a directory and is in no
// entry of the tree comes when the directory is left; it was listed when the directory was entered.

import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { TreeItem } from '../tree/tree-item.js';
import { foldName } from './case-folding.js';
import { type EntryKind, type EntryName, SafeDirectory } from './safe-directory.js';

/** An entry of the tree, and where it belongs. Whoever gets it releases its directory. */
export interface Place {
  readonly item: TreeItem;
  readonly name: string;
  /** The directory it lies in, or for an empty directory itself; undefined when it could not be entered. */
  readonly directory: SafeDirectory | undefined;
  /** What has the name there. */
  readonly existing: EntryKind | undefined;
}

/** Something in the directory that the tree has not. Whoever gets it releases its directory. */
export interface Extra {
  readonly directory: SafeDirectory;
  readonly name: EntryName;
  readonly path: string;
  readonly kind: EntryKind;
}

export type Step =
  | { readonly place: Place }
  | { readonly extra: Extra }
  /** Many directories are open: what came before must be done, and its directories released, before the walk goes on. */
  | 'pause';

export interface WalkParts {
  readonly root: SafeDirectory;
  /** Whether the file system takes names that differ in case alone for one. */
  readonly foldsCase: boolean;
  /** Opens, or makes, a directory of the tree. Undefined when that cannot be, which it reports itself. */
  enter(parent: SafeDirectory, name: string, path: string, existing: EntryKind | undefined): SafeDirectory | undefined;
  /** A name that exists in another spelling, where the file system takes both for one. */
  respell(directory: SafeDirectory, from: string, to: string): void;
  /** The entry, or a directory with all below, cannot be told from another one on this file system. */
  fail(path: string, error: CairnError): void;
}

/** A directory that is being gone through; `directory` is undefined when it could not be entered. */
interface Level {
  /** Of all paths below it: empty, or ending in a slash. */
  readonly prefix: string;
  readonly directory: SafeDirectory | undefined;
  /** What lies there and has not been met in the tree yet. */
  readonly known: Map<string, EntryKind>;
  readonly odd: readonly Buffer[];
  /** Where case is folded: the names met, and those that lie there, by what they fold to. */
  readonly met: Map<string, string>;
  readonly spellings: ReadonlyMap<string, string>;
}

export async function* walkBeside(items: AsyncIterable<TreeItem>, parts: WalkParts): AsyncGenerator<Step> {
  const levels = [openLevel('', parts.root.retain(), parts.foldsCase)];
  for await (const item of items) {
    let level = levels.at(-1)!;
    for (; !item.path.startsWith(level.prefix); level = levels.at(-1)!) yield* leave(levels.pop()!);
    let slash = item.path.indexOf('/', level.prefix.length);
    for (; slash >= 0; slash = item.path.indexOf('/', level.prefix.length)) {
      if (SafeDirectory.openCount >= limits.openDirectoriesCountMax) yield 'pause';
      level = enter(level, item.path.slice(level.prefix.length, slash), parts).level;
      levels.push(level);
    }
    const name = item.path.slice(level.prefix.length);
    if (item.kind === 'directory') {
      if (SafeDirectory.openCount >= limits.openDirectoriesCountMax) yield 'pause';
      const { level: inside, existing } = enter(level, name, parts);
      levels.push(inside);
      yield { place: { item, name, directory: inside.directory?.retain(), existing } };
    } else {
      const existing = claim(level, name, parts);
      const directory = existing === 'clash' ? undefined : level.directory?.retain();
      yield { place: { item, name, directory, existing: existing === 'clash' ? undefined : existing } };
    }
  }
  while (levels.length > 0) yield* leave(levels.pop()!);
}

function openLevel(prefix: string, directory: SafeDirectory | undefined, foldsCase: boolean): Level {
  const { known, odd } = directory?.list() ?? { known: new Map<string, EntryKind>(), odd: [] };
  const spellings = new Map(foldsCase ? [...known.keys()].map((name) => [foldName(name), name]) : []);
  return { prefix, directory, known, odd, met: new Map(), spellings };
}

function enter(parent: Level, name: string, parts: WalkParts): { level: Level; existing: EntryKind | undefined } {
  const path = parent.prefix + name;
  const existing = claim(parent, name, parts);
  if (existing === 'clash' || parent.directory === undefined) {
    return { level: openLevel(`${path}/`, undefined, parts.foldsCase), existing: undefined };
  }
  const directory = parts.enter(parent.directory, name, path, existing);
  return { level: openLevel(`${path}/`, directory, parts.foldsCase), existing };
}

/** What has the name, which is thereby met. `clash` when an entry met before has the same name to the file system. */
function claim(level: Level, name: string, { foldsCase, respell, fail }: WalkParts): EntryKind | 'clash' | undefined {
  if (foldsCase && level.directory !== undefined) {
    const folded = foldName(name);
    const other = level.met.get(folded);
    if (other !== undefined) {
      const message = `differs from ${JSON.stringify(level.prefix + other)} only as this file system does not tell apart`;
      fail(level.prefix + name, new CairnError('conflict', `${JSON.stringify(level.prefix + name)} ${message}`));
      return 'clash';
    }
    level.met.set(folded, name);
    const spelling = level.spellings.get(folded);
    if (spelling !== undefined && spelling !== name) {
      respell(level.directory, spelling, name);
      const existing = level.known.get(spelling);
      level.known.delete(spelling);
      return existing;
    }
  }
  const existing = level.known.get(name);
  level.known.delete(name);
  return existing;
}

function* leave({ prefix, directory, known, odd }: Level): Generator<Step> {
  if (directory === undefined) return;
  for (const [name, kind] of known) {
    yield { extra: { directory: directory.retain(), name, path: prefix + name, kind } };
  }
  for (const name of odd) {
    const path = `${prefix}${name.toString('latin1')}`;
    yield { extra: { directory: directory.retain(), name, path, kind: 'other' } };
  }
  directory.release();
}
