// Hashes files in a worker thread. Small files, in their thousands, go fastest by plain synchronous calls; large ones
// in large reads that overlap the hashing.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Digest } from '../base/digest.js';
import { createHasher, digestBlob } from '../blake3/hasher.js';
import { fileChunks } from './file-chunks.js';

/** What crosses between the threads. */
export type HashOutcome = { readonly hash: Uint8Array; readonly size: number } | { readonly failure: string };

const smallBytesMax = 1024 * 1024;
const shared = new Uint8Array(smallBytesMax + 1);

/** One outcome for each path, in order. */
export async function hashPaths(paths: readonly string[]): Promise<HashOutcome[]> {
  const outcomes: HashOutcome[] = [];
  for (const path of paths) {
    try {
      const { hash, size } = hashSmall(path) ?? (await hashFile(path));
      outcomes.push({ hash, size });
    } catch (error) {
      outcomes.push({ failure: error instanceof Error ? error.message : String(error) });
    }
  }
  return outcomes;
}

/** The digest of a file of any size. */
export async function hashFile(path: string): Promise<Digest> {
  const hasher = createHasher();
  try {
    for await (const chunk of fileChunks(path)) hasher.update(chunk);
  } catch (error) {
    hasher.discard();
    throw error;
  }
  return hasher.digest();
}

/** Undefined when the file turns out not to be small. */
function hashSmall(path: string): Digest | undefined {
  const fd = openSync(path, 'r');
  try {
    if (fstatSync(fd).size > smallBytesMax) return undefined;
    let filled = 0;
    for (;;) {
      const count = readSync(fd, shared, filled, shared.length - filled, null);
      if (count === 0) return digestBlob(shared.subarray(0, filled));
      filled += count;
      if (filled > smallBytesMax) return undefined;
    }
  } finally {
    closeSync(fd);
  }
}
