// What tells whether a file is the one it was. Plain numbers: hundreds of thousands of them are compared, and big integers
// are objects. They tell 2⁻¹² milliseconds apart, a hundred thousandth of the tick of the clock that files are stamped by.

import { lstatSync, type Stats } from 'node:fs';

export interface FileStats {
  readonly size: number;
  /** Milliseconds since the epoch, with fractions. */
  readonly mtime: number;
  readonly ctime: number;
  readonly inode: number;
  readonly device: number;
  /** Some execute bit of the owner's is set. */
  readonly executable: boolean;
  /** The owner may not write. */
  readonly readonly: boolean;
}

/** Throws what the file system throws, and when it is no regular file. */
export function lookAt(path: string): FileStats {
  return fileStats(lstatSync(path));
}

/** Throws when it is no regular file. */
export function fileStats(stats: Stats): FileStats {
  if (!stats.isFile()) throw new Error('it is no regular file any more');
  return {
    size: stats.size,
    mtime: stats.mtimeMs,
    ctime: stats.ctimeMs,
    inode: stats.ino,
    device: stats.dev,
    executable: (stats.mode & 0o100) !== 0,
    readonly: (stats.mode & 0o200) === 0,
  };
}

/** The same file, unchanged as far as can be seen. */
export function sameStats(a: FileStats, b: FileStats): boolean {
  return (
    a.size === b.size &&
    a.mtime === b.mtime &&
    a.ctime === b.ctime &&
    a.inode === b.inode &&
    a.device === b.device &&
    a.executable === b.executable &&
    a.readonly === b.readonly
  );
}
