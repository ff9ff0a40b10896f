// Puts files and symbolic links into a directory: under a temporary name first, then renamed over whatever has the name,
// so that a name never stands for half a file, and a link, a pipe or a hard link in the way is replaced and not written
// through. `directory` is always the path of a `SafeDirectory`.

import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { CairnError } from '../base/errors.js';
import { systemRandom, uniqueName } from '../base/random.js';
import { type EntryName, entryPath, errorName, SafeDirectory } from './safe-directory.js';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
export const newFileFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;

const temporaryPattern = /^\.cairn-[0-9a-f]{32}\.part$/;

/** Of this thread; what it makes is told apart by counting. */
const ownPrefix = `.cairn-${uniqueName(systemRandom).slice(8)}`;
let temporaryCount = 0;

export function temporaryName(): string {
  return `${ownPrefix}${(temporaryCount++ % 2 ** 32).toString(16).padStart(8, '0')}.part`;
}

/** Whether a name can only be what an interrupted command left behind. */
export function isTemporaryName(name: string): boolean {
  return temporaryPattern.test(name);
}

export interface FileRights {
  readonly executable: boolean;
  readonly readonly: boolean;
}

/** The mode of a new file, before the umask. */
export function fileMode({ executable, readonly }: FileRights): number {
  return (executable ? 0o777 : 0o666) & (readonly ? 0o555 : 0o777);
}

/** What of a mode trees keep: whether its owner may execute and whether its owner may write. */
export function hasRights(mode: number, { executable, readonly }: FileRights): boolean {
  return ((mode & 0o100) !== 0) === executable && ((mode & 0o200) === 0) === readonly;
}

export function placeFile(directory: string, name: string, rights: FileRights, bytes: Uint8Array): void {
  const temporary = temporaryName();
  const fd = openSync(entryPath(directory, temporary), newFileFlags, fileMode(rights));
  try {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
    } finally {
      closeSync(fd);
    }
    moveInto(directory, temporary, name);
  } catch (error) {
    removeTemporary(directory, temporary);
    throw error;
  }
}

export function placeSymlink(directory: string, name: string, target: string): void {
  const temporary = temporaryName();
  symlinkSync(target, entryPath(directory, temporary));
  try {
    moveInto(directory, temporary, name);
  } catch (error) {
    removeTemporary(directory, temporary);
    throw error;
  }
}

/** Renames the temporary entry over whatever has the name. A directory there is removed first, with all it holds. */
export function moveInto(directory: string, temporary: string, name: string): void {
  const from = entryPath(directory, temporary);
  const to = entryPath(directory, name);
  try {
    renameSync(from, to);
  } catch (error) {
    if (errorName(error) !== 'EISDIR') throw error;
    removeEntry(directory, name);
    renameSync(from, to);
  }
}

export function removeTemporary(directory: string, temporary: string): void {
  rmSync(entryPath(directory, temporary), { force: true });
}

function removeEntry(directory: string, name: EntryName): void {
  const opened = SafeDirectory.open(directory);
  try {
    opened.remove(name);
  } finally {
    opened.release();
  }
}

/**
 * Gives a file of the right content its rights. False when that cannot be done in place: it is no regular file any more,
 * or has other names, which may lie outside and must keep their mode.
 */
export function changeRights(directory: string, name: string, rights: FileRights): boolean {
  let fd: number;
  try {
    fd = openSync(entryPath(directory, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || stats.nlink !== 1) return false;
    fchmodSync(fd, fileMode(rights) & ~process.umask());
    return true;
  } finally {
    closeSync(fd);
  }
}

/** What the system said when something could not be written. `no_space` for a full disk. */
export function unwritable(path: string, error: unknown): CairnError {
  if (error instanceof CairnError) return new CairnError(error.code, `${path}: ${error.message}`, { cause: error });
  const code = errorName(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new CairnError('no_space', `no space left on the disk for ${path}`, { cause: error });
  }
  // What follows the comma are the names of handles, which tell nobody anything.
  const reason = error instanceof Error ? error.message.split(', ')[0]! : String(error);
  return new CairnError('failed_precondition', `cannot write ${path}: ${reason}`, { cause: error });
}
