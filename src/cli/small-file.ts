// A small file that was read a moment ago, once more. It is in the page cache, where a plain synchronous read takes a
// fraction of the time of a trip through the thread pool.

import { closeSync, openSync, readSync } from 'node:fs';

/** The file's bytes, and at most one more than `bytesMax`, by which a file that has grown shows itself. */
export function readSmallFile(path: string, bytesMax: number): Uint8Array {
  const fd = openSync(path, 'r');
  try {
    const buffer = new Uint8Array(bytesMax + 1);
    let filled = 0;
    for (let count = -1; count !== 0 && filled < buffer.length; filled += count) {
      count = readSync(fd, buffer, filled, buffer.length - filled, null);
    }
    return buffer.slice(0, filled);
  } finally {
    closeSync(fd);
  }
}
