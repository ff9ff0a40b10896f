// A file system that takes its time: before it does anything it lets others run, for as long as the dice say. Operations
// of concurrent tasks so meet in many orders, and what is answered too early is noticed before the disk has it. The
// process that uses it can be killed: what it has asked for and not got yet never happens, and its locks are free.

import { setImmediate } from 'node:timers/promises';
import type { FileLock, FileSystem, OpenFile } from '../../src/log/file-system.js';
import type { SeededRandom } from '../support/random.js';

export async function loiter(random: SeededRandom): Promise<void> {
  for (let turns = random.pick([0, 1, 1, 2, 5]); turns > 0; turns--) await setImmediate();
}

export interface ProcessFileSystem extends FileSystem {
  kill(): Promise<void>;
}

export function slowFileSystem(fs: FileSystem, random: SeededRandom): ProcessFileSystem {
  const locks: FileLock[] = [];
  let killed = false;
  const later = async <T>(act: () => Promise<T>): Promise<T> => {
    await loiter(random);
    return killed ? new Promise<T>(() => {}) : act();
  };
  const slowFile = (file: OpenFile): OpenFile => ({
    path: file.path,
    fd: file.fd,
    size: () => file.size(),
    read: (target, position) => later(() => file.read(target, position)),
    write: (pieces, position) => later(() => file.write(pieces, position)),
    truncate: (size) => later(() => file.truncate(size)),
    sync: () => later(() => file.sync()),
    close: () => file.close(),
  });
  return {
    create: async (path) => slowFile(await later(() => fs.create(path))),
    open: async (path, mode) => {
      const file = await fs.open(path, mode);
      return file && slowFile(file);
    },
    rename: (from, to) => later(() => fs.rename(from, to)),
    remove: (path) => later(() => fs.remove(path)),
    removeDirectory: (path) => later(() => fs.removeDirectory(path)),
    makeDirectory: (path) => later(() => fs.makeDirectory(path)),
    list: (directory) => fs.list(directory),
    syncDirectory: (path) => later(() => fs.syncDirectory(path)),
    lock: async (path) => {
      const lock = await fs.lock(path);
      if (lock !== undefined) locks.push(lock);
      return lock;
    },
    kill: async () => {
      killed = true;
      for (const lock of locks) await lock.release();
    },
  };
}
