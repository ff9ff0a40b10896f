// Reads and hashes files of a directory in a worker thread. A file that changes while it is read is read again. The bytes
// of small files come back with their digests: whoever needs them would only read them once more.

import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { type Digest, hashLength } from '../base/digest.js';
import { limits } from '../base/limits.js';
import { digestBlob } from '../blake3/hasher.js';
import { sameStats } from './file-memory.js';
import { hashFile } from './hash-worker.js';
import { type FileStats, fileStats } from './walk.js';

export interface ReadTask {
  readonly paths: readonly string[];
  /** How long each file is thought to be. */
  readonly sizes: Float64Array<ArrayBuffer>;
  /** Room for the bytes of small files. */
  readonly keepBytes: number;
}

/** One value for each path, in order: an object for each would take longer to cross than the file to hash. */
export interface ReadAnswer {
  /** Why files could not be read, by index. */
  readonly failures: ReadonlyMap<number, string>;
  readonly hashes: Uint8Array<ArrayBuffer>;
  readonly sizes: Float64Array<ArrayBuffer>;
  /** Where a file's bytes begin among those kept; negative when they were not. */
  readonly keptAt: Float64Array<ArrayBuffer>;
  readonly mtimes: BigInt64Array<ArrayBuffer>;
  readonly ctimes: BigInt64Array<ArrayBuffer>;
  readonly inodes: BigUint64Array<ArrayBuffer>;
  readonly devices: BigUint64Array<ArrayBuffer>;
  readonly executable: Uint8Array<ArrayBuffer>;
  readonly readonly: Uint8Array<ArrayBuffer>;
  readonly kept: Uint8Array<ArrayBuffer>;
}

const smallBytesMax = limits.hashTaskFileBytesMax;
const shared = new Uint8Array(smallBytesMax + 1);
/** A link that took the file's place is not followed, a pipe not waited for. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export async function readFiles({ paths, sizes: expected, keepBytes }: ReadTask): Promise<ReadAnswer> {
  const count = paths.length;
  const failures = new Map<number, string>();
  const hashes = new Uint8Array(hashLength * count);
  const sizes = new Float64Array(count);
  const keptAt = new Float64Array(count).fill(-1);
  const mtimes = new BigInt64Array(count);
  const ctimes = new BigInt64Array(count);
  const inodes = new BigUint64Array(count);
  const devices = new BigUint64Array(count);
  const executable = new Uint8Array(count);
  const readonly = new Uint8Array(count);
  // Not zeroed: only what was written is handed on.
  const kept = new Uint8Array(Buffer.allocUnsafeSlow(keepBytes).buffer);
  let filled = 0;
  for (const [i, path] of paths.entries()) {
    try {
      const { digest, stats, bytes } = await readUnchanged(path, expected[i]!);
      hashes.set(digest.hash, hashLength * i);
      sizes[i] = digest.size;
      mtimes[i] = stats.mtime;
      ctimes[i] = stats.ctime;
      inodes[i] = stats.inode;
      devices[i] = stats.device;
      executable[i] = Number(stats.executable);
      readonly[i] = Number(stats.readonly);
      if (bytes === undefined || bytes.length > limits.batchedBlobBytesMax) continue;
      if (filled + bytes.length > keepBytes) continue;
      kept.set(bytes, filled);
      keptAt[i] = filled;
      filled += bytes.length;
    } catch (error) {
      failures.set(i, error instanceof Error ? error.message : String(error));
    }
  }
  const identity = { mtimes, ctimes, inodes, devices, executable, readonly };
  const answer: ReadAnswer = { failures, hashes, sizes, keptAt, ...identity, kept };
  // The bytes are not copied on their way.
  const message = { [transferableSymbol]: kept.buffer, [valueSymbol]: answer };
  return move(message as Parameters<typeof move>[0]) as unknown as ReadAnswer;
}

interface ReadFile {
  readonly digest: Digest;
  readonly stats: FileStats;
  /** The bytes of a small file, until the next is read. */
  readonly bytes: Uint8Array | undefined;
}

async function readUnchanged(path: string, expected: number): Promise<ReadFile> {
  let size = expected;
  for (let attempt = 1; attempt <= limits.fileReadAttemptsCountMax; attempt++) {
    const read = size <= smallBytesMax ? readSmall(path, size) : await readLarge(path);
    if (typeof read !== 'number') return read;
    size = read;
  }
  throw new Error('it keeps changing while it is read');
}

/** The file's size when that is not what was expected, or when it changed. */
function readSmall(path: string, size: number): ReadFile | number {
  const fd = openSync(path, openFlags);
  try {
    const before = statsOf(fstatSync(fd, { bigint: true }));
    if (before.size !== size) return before.size;
    // One byte more than there should be: a file that has grown shows itself.
    let filled = readSync(fd, shared, 0, size + 1, null);
    while (filled < size) {
      const count = readSync(fd, shared, filled, size + 1 - filled, null);
      if (count === 0) return filled;
      filled += count;
    }
    const after = statsOf(fstatSync(fd, { bigint: true }));
    if (filled !== size || !sameStats(before, after)) return after.size;
    const bytes = shared.subarray(0, size);
    return { digest: digestBlob(bytes), stats: after, bytes };
  } finally {
    closeSync(fd);
  }
}

/** As `readSmall`, for a file of any size. */
async function readLarge(path: string): Promise<ReadFile | number> {
  const before = statsOf(lstatSync(path, { bigint: true }));
  const digest = await hashFile(path);
  const after = statsOf(lstatSync(path, { bigint: true }));
  if (digest.size !== after.size || !sameStats(before, after)) return after.size;
  return { digest, stats: after, bytes: undefined };
}

function statsOf(stats: BigIntStats): FileStats {
  if (!stats.isFile()) throw new Error('it is no regular file any more');
  return fileStats(stats);
}
