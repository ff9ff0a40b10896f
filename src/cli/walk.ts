// What a directory holds, in the order of a tree: by the bytes of the paths. Links are recorded and never followed, files
// not looked at. What cannot stand in a tree is reported and passed over. Plain synchronous calls: a trip through the thread
// pool takes several times as long as reading a directory does.

import { isUtf8 } from 'node:buffer';
import { type Dirent, readdirSync, readlinkSync } from 'node:fs';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { comparePaths } from '../tree/tree-item.js';
import { unreadable } from './file-chunks.js';

/** Paths are relative to the directory walked, without a slash at either end. */
export type WalkedEntry =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  /** A directory in which nothing was found that belongs into a tree. */
  | { readonly kind: 'directory'; readonly path: string };

export interface WalkOptions {
  /** What is excluded is not looked at, and below an excluded directory nothing. */
  readonly isExcluded?: ((path: string, isDirectory: boolean) => boolean) | undefined;
  /** Told the absolute path of each directory before it is read. */
  readonly onDirectory?: ((path: string) => void) | undefined;
  /** Something that had to be left out. */
  onProblem(path: string, error: CairnError): void;
  /** Something that may be lost on other systems. */
  onWarning(path: string, message: string): void;
}

interface Child {
  readonly path: string;
  /** The name, with a slash behind it for a directory that holds something: what it is sorted by. */
  readonly key: string;
  readonly kind: 'file' | 'symlink' | 'directory';
  /** What a directory holds. */
  readonly children: readonly Dirent[];
}

/** `failed_precondition` when the directory itself cannot be read. */
export function walk(directory: string, options: WalkOptions): Generator<WalkedEntry> {
  return new Walk(directory, options).entries();
}

class Walk {
  constructor(
    private readonly directory: string,
    private readonly options: WalkOptions,
  ) {}

  *entries(): Generator<WalkedEntry> {
    // Not recursive: there are directories deeper than the stack.
    const stack = [this.#children('', this.#list(''))];
    while (stack.length > 0) {
      const child = stack.at(-1)!.next();
      if (child.done) {
        stack.pop();
        continue;
      }
      const { path, kind, children } = child.value;
      if (kind === 'directory') {
        if (children.length > 0) stack.push(this.#children(path, children));
        else yield { kind, path };
        continue;
      }
      this.#warnOfLength(path);
      const entry = kind === 'file' ? { kind, path } : this.#symlink(path);
      if (entry !== undefined) yield entry;
    }
  }

  /** What a directory holds, in order. Whether a directory is empty decides where it comes, so all are read first. */
  #children(parent: string, listed: readonly Dirent[]): Iterator<Child> {
    const children = listed.map((entry): Child => {
      const { name } = entry;
      const path = join(parent, name);
      if (entry.isFile()) return { path, key: name, kind: 'file', children: [] };
      if (entry.isSymbolicLink()) return { path, key: name, kind: 'symlink', children: [] };
      const below = this.#list(path);
      return { path, key: below.length > 0 ? `${name}/` : name, kind: 'directory', children: below };
    });
    return children.sort((a, b) => comparePaths(a.key, b.key)).values();
  }

  /** The entries of a directory that can stand in a tree. */
  #list(path: string): Dirent[] {
    const absolute = this.#absolute(path);
    this.options.onDirectory?.(absolute);
    let entries: Dirent[];
    try {
      entries = readdirSync(absolute, { withFileTypes: true });
    } catch (error) {
      const failure = unreadable(path === '' ? this.directory : path, error);
      if (path === '') throw failure;
      this.options.onProblem(path, failure);
      return [];
    }
    const listed = entries.filter((entry) => this.#belongs(path, entry));
    // Most names are such that no two can clash, and none has lost bytes.
    if (listed.every(({ name }) => isPlain.test(name))) return listed;
    this.#warnOfClashes(path, listed);
    // Names that are not UTF-8 were decoded to names with this character in them; so were names that really have it.
    return listed.some(({ name }) => name.includes('\ufffd')) ? this.#utf8Only(path, listed) : listed;
  }

  #belongs(parent: string, entry: Dirent): boolean {
    const { isExcluded } = this.options;
    if (isExcluded?.(join(parent, entry.name), entry.isDirectory())) return false;
    if (entry.isFile() || entry.isDirectory() || entry.isSymbolicLink()) return true;
    const path = join(parent, entry.name);
    this.options.onProblem(path, new CairnError('failed_precondition', `${path} is ${kindOf(entry)}, left out`));
    return false;
  }

  #utf8Only(path: string, listed: readonly Dirent[]): Dirent[] {
    const good = new Set<string>();
    for (const { name } of readdirSync(this.#absolute(path), { withFileTypes: true, encoding: 'buffer' })) {
      if (isUtf8(name)) {
        good.add(name.toString());
      } else if (listed.some((entry) => entry.name === name.toString())) {
        const hex = Buffer.concat([Buffer.from(join(path, '')), name]).toString('hex');
        const message = `a name in ${JSON.stringify(path === '' ? '.' : path)} is not UTF-8; the path in hex: ${hex}`;
        this.options.onProblem(join(path, name.toString()), new CairnError('invalid_argument', message));
      }
    }
    const seen = new Set<string>();
    // Two names that are not UTF-8 may look alike, also like a good one.
    return listed.filter(({ name }) => good.has(name) && !seen.has(name) && seen.add(name));
  }

  #warnOfClashes(parent: string, listed: readonly Dirent[]): void {
    const folded = new Map<string, string>();
    for (const { name } of listed) {
      const key = isAscii.test(name) ? name.toLowerCase() : name.normalize('NFC').toLowerCase();
      const other = folded.get(key);
      if (other !== undefined) {
        const path = join(parent, name);
        const what = `${path} and ${join(parent, other)} are the same name where case does not count`;
        this.options.onWarning(path, what);
      }
      folded.set(key, name);
    }
  }

  #symlink(path: string): WalkedEntry | undefined {
    try {
      const target = readlinkSync(this.#absolute(path), 'utf8');
      if (!target.includes('\ufffd')) return { kind: 'symlink', path, target };
      const bytes = readlinkSync(this.#absolute(path), 'buffer');
      if (isUtf8(bytes)) return { kind: 'symlink', path, target };
      const message = `the target of link ${path} is not UTF-8; in hex: ${bytes.toString('hex')}`;
      this.options.onProblem(path, new CairnError('invalid_argument', message));
    } catch (error) {
      this.options.onProblem(path, unreadable(path, error));
    }
    return undefined;
  }

  #warnOfLength(path: string): void {
    if (path.length * 3 <= limits.portablePathBytesMax) return;
    const bytes = Buffer.byteLength(path);
    if (bytes <= limits.portablePathBytesMax) return;
    this.options.onWarning(path, `${path} has ${bytes} bytes, more than some systems take`);
  }

  #absolute(path: string): string {
    return path === '' ? this.directory : join(this.directory, path);
  }
}

/** ASCII without capitals. */
const isPlain = /^[\0-@[-\x7f]*$/;
const isAscii = /^[\0-\x7f]*$/;

/** `path.join` would resolve what is there to be seen. */
function join(parent: string, name: string): string {
  return parent === '' || parent === '/' ? `${parent}${name}` : `${parent}/${name}`;
}

function kindOf(entry: Dirent): string {
  if (entry.isFIFO()) return 'a pipe';
  if (entry.isSocket()) return 'a socket';
  if (entry.isBlockDevice() || entry.isCharacterDevice()) return 'a device';
  return 'neither file, directory nor link';
}
