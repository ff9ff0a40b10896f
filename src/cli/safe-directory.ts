// Directories held open, and entries by name inside them: how commands write below a directory without ever leaving it.
//
// A directory below the first is opened only as what it is: never through a symlink. What is done inside goes through the
// open handle (on Linux by way of /proc/self/fd), so that it reaches this very directory, whatever its path has come to
// mean. So neither symlinks that lie there nor somebody who swaps directories for symlinks meanwhile leads outside. Names
// are single components, checked here once more.
// Where there is no /proc/self/fd, entries are reached by path: what lies there beforehand still leads nowhere, but
// somebody who changes the directories at the same time may. Nothing here protects against mounts inside the directory
// (removal stops at them), nor against somebody who moves a whole directory elsewhere while it is being written.

import { isUtf8 } from 'node:buffer';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { CairnError } from '../base/errors.js';

export type EntryKind = 'file' | 'directory' | 'symlink' | 'other';

/** One component of a path; bytes where they are no UTF-8. */
export type EntryName = string | Buffer;

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
/** Linux's O_PATH, which Node does not name: a handle on a directory that may not be read. */
const pathOnly = 0o10000000;
const handleFolder = '/proc/self/fd';
const byHandle = process.platform === 'linux' && existsSync(handleFolder);
const ownerAll = 0o700;

/** The path of an entry of a directory. `invalid_argument` for what is not exactly one component. */
export function entryPath(directory: string, name: string): string;
export function entryPath(directory: string, name: EntryName): EntryName;
export function entryPath(directory: string, name: EntryName): EntryName {
  const text = typeof name === 'string' ? name : name.toString('latin1');
  if (text === '' || text === '.' || text === '..' || text.includes('/') || text.includes('\0')) {
    throw new CairnError('invalid_argument', `${JSON.stringify(text)} is no name of an entry`);
  }
  return typeof name === 'string' ? `${directory}/${name}` : Buffer.concat([Buffer.from(`${directory}/`), name]);
}

export class SafeDirectory {
  static readonly #open = new Set<SafeDirectory>();
  #users = 1;
  #isNew = false;
  #isWritable = false;
  /** Its mode before it was changed for a while. */
  #modeBefore: number | undefined;

  /** `path` is what paths of its entries begin with, for as long as it is open. */
  private constructor(
    readonly path: string,
    readonly fd: number,
  ) {
    SafeDirectory.#open.add(this);
  }

  /** Directories that this process holds open. */
  static get openCount(): number {
    return SafeDirectory.#open.size;
  }

  /** Closes what a command that failed left open. */
  static closeAll(): void {
    for (const directory of SafeDirectory.#open) directory.#close();
  }

  /** The directory at a path that the user gave, symlinks followed. */
  static open(path: string): SafeDirectory {
    return SafeDirectory.#over(openSync(path, O_RDONLY | O_DIRECTORY), path);
  }

  static #over(fd: number, path: string): SafeDirectory {
    return new SafeDirectory(byHandle ? `${handleFolder}/${fd}` : path, fd);
  }

  /** A directory in this one; fails with ENOTDIR or ELOOP when it is anything else, also a symlink to a directory. */
  openChild(name: EntryName): SafeDirectory {
    const path = entryPath(this.path, name);
    return SafeDirectory.#over(openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), String(path));
  }

  /** The same, and when its owner may not read or search it, gives back the right to. */
  openChildByForce(name: EntryName): SafeDirectory {
    let child: SafeDirectory;
    try {
      child = this.openChild(name);
    } catch (error) {
      if (errorName(error) !== 'EACCES') throw error;
      const modeBefore = grantOwner(entryPath(this.path, name));
      child = this.openChild(name);
      child.#modeBefore = modeBefore;
    }
    const { mode } = fstatSync(child.fd);
    if ((mode & 0o500) !== 0o500) child.#grant(mode);
    return child;
  }

  makeChild(name: string): SafeDirectory {
    mkdirSync(entryPath(this.path, name));
    const child = this.openChild(name);
    child.#isNew = true;
    return child;
  }

  /** What lay in it when it was opened or since, by name; names that are no UTF-8 apart. */
  list(): { readonly known: Map<string, EntryKind>; readonly odd: Buffer[] } {
    const known = new Map<string, EntryKind>();
    const odd: Buffer[] = [];
    if (this.#isNew) return { known, odd };
    for (const entry of readdirSync(this.path, { withFileTypes: true, encoding: 'buffer' })) {
      if (isUtf8(entry.name)) known.set(entry.name.toString(), kindOf(entry));
      else odd.push(entry.name);
    }
    return { known, odd };
  }

  /** Lets its owner change it, until it is closed. */
  makeWritable(): void {
    if (this.#isWritable) return;
    const { mode } = fstatSync(this.fd);
    if ((mode & ownerAll) !== ownerAll) this.#grant(mode);
    this.#isWritable = true;
  }

  #grant(mode: number): void {
    this.#modeBefore ??= mode & 0o7777;
    fchmodSync(this.fd, (mode & 0o7777) | ownerAll);
  }

  /** One more user; it is closed when all have released it. */
  retain(): this {
    this.#users++;
    return this;
  }

  release(): void {
    if (--this.#users === 0) this.#close();
  }

  #close(): void {
    SafeDirectory.#open.delete(this);
    try {
      if (this.#modeBefore !== undefined) fchmodSync(this.fd, this.#modeBefore);
    } finally {
      closeSync(this.fd);
    }
  }

  /** Removes whatever has this name, directories with all they hold. That nothing has it is success. */
  remove(name: EntryName): void {
    const path = entryPath(this.path, name);
    try {
      unlinkSync(path);
      return;
    } catch (error) {
      const code = errorName(error);
      if (code === 'ENOENT') return;
      // Linux says EISDIR, others EPERM.
      if (code !== 'EISDIR' && code !== 'EPERM') throw error;
      if (!lstatSync(path).isDirectory()) throw error;
    }
    const child = this.openChildByForce(name);
    try {
      if (fstatSync(child.fd).dev !== fstatSync(this.fd).dev) {
        throw new CairnError('failed_precondition', 'another file system is mounted there');
      }
      const { known, odd } = child.list();
      if (known.size + odd.length > 0) child.makeWritable();
      for (const entry of [...known.keys(), ...odd]) child.remove(entry);
    } finally {
      child.release();
    }
    rmdirSync(path);
  }
}

/** Gives the owner all rights to a directory that cannot be opened for want of them; answers the mode it had. */
function grantOwner(path: EntryName): number {
  if (!byHandle) {
    const mode = lstatSync(path).mode & 0o7777;
    chmodSync(path, mode | ownerAll);
    return mode;
  }
  const fd = openSync(path, pathOnly | O_DIRECTORY | O_NOFOLLOW);
  try {
    const mode = fstatSync(fd).mode & 0o7777;
    chmodSync(`${handleFolder}/${fd}`, mode | ownerAll);
    return mode;
  } finally {
    closeSync(fd);
  }
}

function kindOf(entry: { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean }): EntryKind {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  return entry.isSymbolicLink() ? 'symlink' : 'other';
}

/** The system's name of an error, as `ENOENT`; undefined for what is no error of the system. */
export function errorName(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
