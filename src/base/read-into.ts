// Reads a part of a blob into memory that is there already.

import type { BlobHandle } from './blob-store.js';
import type { ByteRange } from './range.js';

/** The target is as long as the range, which is as of `BlobHandle.read`. */
export async function readInto(target: Uint8Array, handle: BlobHandle, range: ByteRange): Promise<void> {
  const bytes = await handle.read(range, target);
  const isThere = bytes.buffer === target.buffer && bytes.byteOffset === target.byteOffset;
  if (!isThere) target.set(bytes);
}
