// Reads and hashes files of a directory in a worker thread. A file that changes while it is read is read again. Small files
// come back packed, ready to be sent: whoever needs their bytes would only read them once more. How large files are is
// found here; a task ends early when the pack is full, or in front of a large file, which has a task of its own.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { type Digest, hashLength } from '../base/digest.js';
import { limits } from '../base/limits.js';
import { digestBlob } from '../blake3/hasher.js';
import { BlobPacker } from '../client/blob-pack.js';
import { type FileStats, fileStats, lookAt, sameStats } from './file-stats.js';
import { hashFile } from './hash-worker.js';
import { fileMarks, type ReadAnswer, type ReadTask } from './read-answer.js';

const smallBytesMax = limits.hashTaskFileBytesMax;
const shared = new Uint8Array(smallBytesMax + 1);
/** A link that took the file's place is not followed, a pipe not waited for. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export async function readFiles({ paths: joined, spare }: ReadTask): Promise<ReadAnswer> {
  const paths = joined.split('\0');
  const failures = new Map<number, string>();
  const files: (ReadFile | undefined)[] = [];
  const packer = new BlobPacker(limits.syncTaskFilesCountMax, limits.batchWriteBytesMax, spare);
  for (const [i, path] of paths.entries()) {
    try {
      const file = await readUnchanged(path, packer, i === 0);
      if (file === undefined) break;
      if (file.isPacked) packer.add(file.digest);
      files.push(file);
    } catch (error) {
      files.push(undefined);
      failures.set(i, error instanceof Error ? error.message : String(error));
    }
  }
  const frame = packer.finish();
  const answer: ReadAnswer = { count: files.length, failures, ...columnsOf(files), frame };
  // The frame is not copied on its way.
  const message = { [transferableSymbol]: frame.buffer, [valueSymbol]: answer };
  return move(message as Parameters<typeof move>[0]) as unknown as ReadAnswer;
}

function columnsOf(files: readonly (ReadFile | undefined)[]): Pick<ReadAnswer, 'hashes' | 'numbers' | 'marks'> {
  const count = files.length;
  const hashes = new Uint8Array(hashLength * count);
  const numbers = new Float64Array(5 * count);
  const marks = new Uint8Array(count);
  for (const [i, file] of files.entries()) {
    if (file === undefined) continue;
    const { digest, stats, isPacked } = file;
    hashes.set(digest.hash, hashLength * i);
    numbers[i] = stats.size;
    numbers[i + count] = stats.mtime;
    numbers[i + 2 * count] = stats.ctime;
    numbers[i + 3 * count] = stats.inode;
    numbers[i + 4 * count] = stats.device;
    const { executable, readonly, packed } = fileMarks;
    marks[i] = (stats.executable ? executable : 0) | (stats.readonly ? readonly : 0) | (isPacked ? packed : 0);
  }
  return { hashes, numbers, marks };
}

interface ReadFile {
  readonly digest: Digest;
  readonly stats: FileStats;
  /** Its bytes are in the packer's room. */
  readonly isPacked: boolean;
}

/** Undefined for a file that has no place in this task; the first one has. */
async function readUnchanged(path: string, packer: BlobPacker, isFirst: boolean): Promise<ReadFile | undefined> {
  for (let attempt = 1; attempt <= limits.fileReadAttemptsCountMax; attempt++) {
    let read = readSmall(path, packer);
    if (read === 'full' || (read === 'large' && !isFirst)) return undefined;
    if (read === 'large') read = await readLarge(path);
    if (read !== 'changed') return read;
  }
  throw new Error('it keeps changing while it is read');
}

function readSmall(path: string, packer: BlobPacker): ReadFile | 'changed' | 'full' | 'large' {
  const fd = openSync(path, openFlags);
  try {
    const before = fileStats(fstatSync(fd));
    const { size } = before;
    if (size > smallBytesMax) return 'large';
    const isPacked = size <= limits.batchedBlobBytesMax;
    const target = isPacked ? packer.room(size) : shared;
    if (target === undefined) return 'full';
    // One byte more than there should be: a file that has grown shows itself.
    let filled = readSync(fd, target, 0, size + 1, null);
    for (let count = filled; count > 0 && filled < size; filled += count) {
      count = readSync(fd, target, filled, size + 1 - filled, null);
    }
    const stats = fileStats(fstatSync(fd));
    if (filled !== size || !sameStats(before, stats)) return 'changed';
    return { digest: digestBlob(target.subarray(0, size)), stats, isPacked };
  } finally {
    closeSync(fd);
  }
}

/** As `readSmall`, for a file of any size. */
async function readLarge(path: string): Promise<ReadFile | 'changed'> {
  const before = lookAt(path);
  const digest = await hashFile(path);
  const stats = lookAt(path);
  if (digest.size !== stats.size || !sameStats(before, stats)) return 'changed';
  return { digest, stats, isPacked: false };
}
