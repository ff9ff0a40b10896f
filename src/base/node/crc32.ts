// CRC-32, the checksum of gzip and zlib (RFC 1952, section 8), of all that is stored: native where it loads, 17 to 25 GB/s on
// pieces of 64 KiB, and Node's own otherwise, 5 GB/s. Both give the same numbers.

import { createRequire } from 'node:module';
import { crc32 as nodeCrc32 } from 'node:zlib';

/** The checksum of `bytes`; with `before`, of the bytes that have that checksum and then these. */
export type Crc32 = (bytes: Uint8Array, before?: number) => number;

/** An optional dependency: undefined where no build of it loads. */
function loadNative(): Crc32 | undefined {
  try {
    return (createRequire(import.meta.url)('@node-rs/crc32') as typeof import('@node-rs/crc32')).crc32;
  } catch {
    return undefined;
  }
}

/** Up to here the way into the module costs more than it saves. */
const smallBytes = 64;

export const nativeCrc32: Crc32 | undefined = loadNative();

export function crc32(bytes: Uint8Array, before = 0): number {
  // Of no bytes at no address, zlib forgets what came before.
  if (bytes.length === 0) return before;
  if (nativeCrc32 === undefined || bytes.length <= smallBytes) return nodeCrc32(bytes, before);
  return nativeCrc32(bytes, before);
}
