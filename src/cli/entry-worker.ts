// What checkout and verify do to many small entries at once, in worker threads: plain synchronous calls go fastest. A
// directory is named by the path of a `SafeDirectory` that the main thread holds open meanwhile.

import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { hashHex } from '../base/digest.js';
import { createHasher, hashBytes } from '../blake3/hasher.js';
import { type FileRights, hasRights, placeFile, unwritable } from './place-entry.js';
import { entryPath, errorName } from './safe-directory.js';

/** A name in a directory. */
interface Named {
  readonly directory: string;
  readonly name: string;
}

/** A file as a tree has it. */
export interface ExpectedFile extends Named, FileRights {
  /** 64 hex digits. */
  readonly hash: string;
  readonly size: number;
}

export interface ExpectedLink extends Named {
  readonly target: string;
}

/** In what an entry differs from the tree's. */
export type Difference = 'missing' | 'type' | 'content' | 'mode';

/** What is not as expected, nothing when all is; or why that could not be found out. */
export type Examined = readonly Difference[] | { readonly failure: string };

/** A file to be written: its bytes are a part of those that come along. */
export interface NewFile extends Named, FileRights {
  /** For messages. */
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

export interface PlaceTask {
  readonly files: readonly NewFile[];
  readonly bytes: Uint8Array;
}

/** Undefined for what was placed. */
export type Placed = { readonly code: 'no_space' | 'failed_precondition'; readonly message: string } | undefined;

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
const buffer = new Uint8Array(1024 * 1024);

/** One answer for each entry, in order. Nothing is changed. */
export function examine(entries: readonly (ExpectedFile | ExpectedLink)[]): Examined[] {
  return entries.map((entry) => {
    try {
      return 'target' in entry ? examineLink(entry) : examineFile(entry);
    } catch (error) {
      if (errorName(error) === 'ENOENT') return ['missing'];
      return { failure: error instanceof Error ? error.message.split(', ')[0]! : String(error) };
    }
  });
}

function examineLink({ directory, name, target }: ExpectedLink): Difference[] {
  try {
    const found = readlinkSync(entryPath(directory, name), 'buffer');
    return found.equals(Buffer.from(target)) ? [] : ['content'];
  } catch (error) {
    if (errorName(error) === 'EINVAL') return ['type'];
    throw error;
  }
}

function examineFile(expected: ExpectedFile): Difference[] {
  let fd: number;
  try {
    // A pipe must not hold up the opening.
    fd = openSync(entryPath(expected.directory, expected.name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    // A symbolic link, and a socket.
    if (errorName(error) === 'ELOOP' || errorName(error) === 'ENXIO') return ['type'];
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) return ['type'];
    const differences: Difference[] = [];
    if (stats.size !== expected.size || hashOf(fd) !== expected.hash) differences.push('content');
    if (!hasRights(stats.mode, expected)) differences.push('mode');
    return differences;
  } finally {
    closeSync(fd);
  }
}

function hashOf(fd: number): string {
  const first = fill(fd);
  if (first < buffer.length) return hashHex(hashBytes(buffer.subarray(0, first)));
  const hasher = createHasher();
  let ended = false;
  try {
    for (let count = first; count > 0; count = fill(fd)) hasher.update(buffer.subarray(0, count));
    ended = true;
    return hashHex(hasher.digest().hash);
  } finally {
    if (!ended) hasher.discard();
  }
}

/** Reads on until the buffer is full or the file at its end. */
function fill(fd: number): number {
  let filled = 0;
  for (let count = -1; count !== 0 && filled < buffer.length; filled += count) {
    count = readSync(fd, buffer, filled, buffer.length - filled, null);
  }
  return filled;
}

/** Writes verified bytes. One answer for each file, in order; after a full disk the rest is not tried. */
export function place({ files, bytes }: PlaceTask): Placed[] {
  let full: Placed;
  return files.map((file) => {
    if (full !== undefined) return full;
    try {
      placeFile(file.directory, file.name, file, bytes.subarray(file.start, file.end));
      return undefined;
    } catch (error) {
      const { code, message } = unwritable(file.path, error);
      const failed: Placed = { code: code === 'no_space' ? code : 'failed_precondition', message };
      if (code === 'no_space') full = failed;
      return failed;
    }
  });
}
