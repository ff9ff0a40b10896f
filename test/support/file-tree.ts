// What lies in a directory, for comparing: names, kinds, modes and contents, and whether something was touched.

import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** For each entry below a directory its kind with its content or target; directories that hold something are left out. */
export async function snapshot(directory: string, below = ''): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of (await readdir(join(directory, below))).sort()) {
    const path = below === '' ? name : `${below}/${name}`;
    const stats = await lstat(join(directory, path));
    if (stats.isDirectory()) {
      const inside = await snapshot(directory, path);
      Object.assign(found, Object.keys(inside).length === 0 ? { [path]: 'directory' } : inside);
    } else if (stats.isSymbolicLink()) found[path] = `-> ${await readlink(join(directory, path))}`;
    else if (!stats.isFile()) found[path] = 'other';
    else found[path] = `${(stats.mode & 0o777).toString(8)} ${await readFile(join(directory, path), 'latin1')}`;
  }
  return found;
}

/** For each entry what changes when it is written, renamed or given another mode, the directory itself included. */
export async function touches(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const path of ['.', ...(await readdir(directory, { recursive: true }))]) {
    const { ino, mtimeMs, ctimeMs } = await lstat(join(directory, path));
    found[path] = `${ino} ${mtimeMs} ${ctimeMs}`;
  }
  return found;
}
