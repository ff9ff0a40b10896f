// Reads and hashes files of a directory in a worker thread. A file that changes while it is read is read again. The bytes
// of small files come back with their digests: whoever needs them would only read them once more.

import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import type { Digest } from '../base/digest.js';
import { limits } from '../base/limits.js';
import { digestBlob } from '../blake3/hasher.js';
import { sameStats } from './file-memory.js';
import { hashFile } from './hash-worker.js';
import { type FileStats, fileStats } from './walk.js';

export interface ReadTask {
  readonly paths: readonly string[];
  /** Room for the bytes of small files. */
  readonly keepBytes: number;
}

export interface ReadSuccess {
  readonly hash: Uint8Array;
  readonly stats: FileStats;
  /** Where the file's bytes begin among those kept; undefined when they were not. */
  readonly keptAt: number | undefined;
}

export interface ReadAnswer {
  /** One for each path, in order; the reason where a file could not be read. */
  readonly outcomes: readonly (ReadSuccess | string)[];
  readonly kept: Uint8Array<ArrayBuffer>;
}

const smallBytesMax = limits.hashTaskFileBytesMax;
const shared = new Uint8Array(smallBytesMax + 1);
/** A link that took the file's place is not followed, a pipe not waited for. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export async function readFiles({ paths, keepBytes }: ReadTask): Promise<ReadAnswer> {
  const kept = new Uint8Array(keepBytes);
  const outcomes: (ReadSuccess | string)[] = [];
  let filled = 0;
  for (const path of paths) {
    try {
      const { digest, stats, bytes } = await readUnchanged(path);
      const fits =
        bytes !== undefined && bytes.length <= limits.batchedBlobBytesMax && filled + bytes.length <= keepBytes;
      outcomes.push({ hash: digest.hash, stats, keptAt: fits ? filled : undefined });
      if (!fits) continue;
      kept.set(bytes, filled);
      filled += bytes.length;
    } catch (error) {
      outcomes.push(error instanceof Error ? error.message : String(error));
    }
  }
  // Not copied on their way.
  const message = { [transferableSymbol]: kept.buffer, [valueSymbol]: { outcomes, kept } };
  return move(message as Parameters<typeof move>[0]) as unknown as ReadAnswer;
}

interface ReadFile {
  readonly digest: Digest;
  readonly stats: FileStats;
  /** The bytes of a small file, until the next is read. */
  readonly bytes: Uint8Array | undefined;
}

async function readUnchanged(path: string): Promise<ReadFile> {
  for (let attempt = 1; attempt <= limits.fileReadAttemptsCountMax; attempt++) {
    const read = readSmall(path) ?? (await readLarge(path));
    if (read !== 'changed') return read;
  }
  throw new Error('it keeps changing while it is read');
}

/** Undefined when the file is not small. */
function readSmall(path: string): ReadFile | 'changed' | undefined {
  const fd = openSync(path, openFlags);
  try {
    const before = statsOf(fstatSync(fd, { bigint: true }));
    if (before.size > smallBytesMax) return undefined;
    let filled = 0;
    // One byte more than there should be: a file that has grown shows itself.
    for (let count = -1; count !== 0 && filled <= before.size; filled += count) {
      count = readSync(fd, shared, filled, before.size + 1 - filled, null);
    }
    if (filled !== before.size || !sameStats(before, statsOf(fstatSync(fd, { bigint: true })))) return 'changed';
    const bytes = shared.subarray(0, filled);
    return { digest: digestBlob(bytes), stats: before, bytes };
  } finally {
    closeSync(fd);
  }
}

async function readLarge(path: string): Promise<ReadFile | 'changed'> {
  const before = statsOf(lstatSync(path, { bigint: true }));
  const digest = await hashFile(path);
  const after = statsOf(lstatSync(path, { bigint: true }));
  if (digest.size !== after.size || !sameStats(before, after)) return 'changed';
  return { digest, stats: after, bytes: undefined };
}

function statsOf(stats: BigIntStats): FileStats {
  if (!stats.isFile()) throw new Error('it is no regular file any more');
  return fileStats(stats);
}
