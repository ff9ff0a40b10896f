// The operating system's files. Calls go through `node:fs` callbacks: under 16 concurrent readers one positioned read
// costs half of what it costs through promise file handles. This is the only place that turns errno into `CairnError`s.

import fs from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { systemClock } from '../base/clock.js';
import { CairnError, type ErrorCode } from '../base/errors.js';
import type { FileLock, FileSystem, OpenFile } from './file-system.js';
import { processorWaitMilliseconds } from './processor-wait.js';
import { PromptReads } from './prompt-reads.js';

type Failure = NodeJS.ErrnoException;

/** Runs one callback-style call; its failure says what was tried on which path. */
function call<T>(
  doing: string,
  path: string,
  start: (done: (error: Failure | null, result?: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, result) => (error === null ? resolve(result as T) : reject(storageError(error, doing, path))));
  });
}

/** Failures with a code of their own. */
const codes: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'no_space',
  EDQUOT: 'no_space',
  EMFILE: 'overloaded',
  ENFILE: 'overloaded',
};

function storageError(error: Failure, doing: string, path: string): CairnError {
  return new CairnError(codes[error.code ?? ''] ?? 'storage', `${doing} ${path}: ${error.message}`, { cause: error });
}

function failedWith(error: unknown, ...codes: string[]): boolean {
  const cause = error instanceof CairnError ? (error.cause as Failure | undefined) : undefined;
  return cause?.code !== undefined && codes.includes(cause.code);
}

/** All files are taken for those of one disk. */
const promptReads = new PromptReads(systemClock, processorWaitMilliseconds);

class NodeFile implements OpenFile {
  #cutSinceSync = false;
  #closing: Promise<void> | undefined;

  constructor(
    readonly path: string,
    readonly fd: number,
  ) {}

  async size(): Promise<number> {
    return (await call<fs.Stats>('measuring', this.path, (done) => fs.fstat(this.fd, done))).size;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      const got = await call<number>('reading', this.path, (done) =>
        fs.read(this.fd, target, filled, target.length - filled, position + filled, done),
      );
      if (got === 0) break;
      filled += got;
    }
    return filled;
  }

  readNow(target: Uint8Array, position: number): number | undefined {
    try {
      return promptReads.attempt(target.length, () => fs.readSync(this.fd, target, 0, target.length, position));
    } catch {
      return undefined;
    }
  }

  async write(pieces: readonly Uint8Array[], position: number): Promise<void> {
    let left = pieces.filter((piece) => piece.length > 0);
    let at = position;
    while (left.length > 0) {
      const written = await call<number>('writing', this.path, (done) => fs.writev(this.fd, left, at, done));
      if (written === 0) throw new CairnError('storage', `writing ${this.path}: nothing was written`);
      at += written;
      left = dropBytes(left, written);
    }
  }

  async truncate(size: number): Promise<void> {
    this.#cutSinceSync = true;
    await call<void>('cutting', this.path, (done) => fs.ftruncate(this.fd, size, done));
  }

  async sync(): Promise<void> {
    // Not every system counts a smaller size among what fdatasync must keep.
    const sync = this.#cutSinceSync ? fs.fsync : fs.fdatasync;
    this.#cutSinceSync = false;
    await call<void>('syncing', this.path, (done) => sync(this.fd, done));
  }

  /** A second close must not close whatever has the descriptor by then. */
  close(): Promise<void> {
    this.#closing ??= call<void>('closing', this.path, (done) => fs.close(this.fd, done));
    return this.#closing;
  }
}

/** What is left of the pieces after so many bytes. */
function dropBytes(pieces: Uint8Array[], count: number): Uint8Array[] {
  let index = 0;
  let drop = count;
  while (index < pieces.length && drop >= pieces[index]!.length) drop -= pieces[index++]!.length;
  const left = pieces.slice(index);
  if (drop > 0) left[0] = left[0]!.subarray(drop);
  return left;
}

function openDescriptor(path: string, flags: string): Promise<number> {
  return call<number>('opening', path, (done) => fs.open(path, flags, 0o644, done));
}

async function syncDirectory(path: string): Promise<void> {
  const fd = await openDescriptor(path, 'r');
  try {
    await call<void>('syncing', path, (done) => fs.fsync(fd, done));
  } finally {
    await call<void>('closing', path, (done) => fs.close(fd, done));
  }
}

async function makeDirectory(given: string): Promise<void> {
  const path = resolve(given);
  const topMade = await call<string | undefined>('making', path, (done) => fs.mkdir(path, { recursive: true }, done));
  if (topMade === undefined) {
    // An earlier process may have made it without living to see it durable; not every parent may be opened, though.
    await syncDirectory(dirname(path)).catch((error: unknown) => {
      if (!failedWith(error, 'EACCES', 'EPERM')) throw error;
    });
    return;
  }
  for (let made = path; ; made = dirname(made)) {
    await syncDirectory(dirname(made));
    if (made === topMade || made === dirname(made)) return;
  }
}

interface LockAddon {
  tryLock(fd: number): boolean;
}

/** Undefined where no build of the addon loads. */
function loadLockAddon(): LockAddon | undefined {
  try {
    return createRequire(import.meta.url)('fs-native-extensions') as LockAddon;
  } catch {
    return undefined;
  }
}

let lockAddon: LockAddon | undefined | 'not loaded' = 'not loaded';

/** Without the addon every lock is granted; LevelDB's own lock then still keeps a second process off the index. */
async function lock(path: string): Promise<FileLock | undefined> {
  if (lockAddon === 'not loaded') lockAddon = loadLockAddon();
  const fd = await openDescriptor(path, 'a+');
  const release = () => call<void>('closing', path, (done) => fs.close(fd, done));
  try {
    if (lockAddon === undefined || lockAddon.tryLock(fd)) return { release };
  } catch (error) {
    await release();
    throw storageError(error as Failure, 'locking', path);
  }
  await release();
  return undefined;
}

async function unlessAbsent<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return undefined;
    throw error;
  }
}

export const nodeFileSystem: FileSystem = {
  async create(path) {
    return new NodeFile(path, await openDescriptor(path, 'wx+'));
  },

  async open(path, mode) {
    const fd = await unlessAbsent(openDescriptor(path, mode === 'read' ? 'r' : 'r+'));
    return fd === undefined ? undefined : new NodeFile(path, fd);
  },

  rename: (from, to) => call<void>('renaming', from, (done) => fs.rename(from, to, done)),

  async remove(path) {
    await unlessAbsent(call<void>('removing', path, (done) => fs.unlink(path, done)));
  },

  removeDirectory: (path) =>
    call<void>('removing', path, (done) => fs.rm(path, { recursive: true, force: true }, done)),

  makeDirectory,

  async list(directory) {
    const names = await unlessAbsent(call<string[]>('listing', directory, (done) => fs.readdir(directory, done)));
    return names ?? [];
  },

  syncDirectory,
  lock,
};
