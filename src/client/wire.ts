// Digests as messages and back.

import { type BlobHash, type Digest, toDigest, toHash } from '../base/digest.js';

export interface WireDigest {
  sizeBytes: bigint;
  blake3: Uint8Array;
}

export function encodeDigest(digest: Digest): WireDigest {
  return { sizeBytes: BigInt(digest.size), blake3: digest.hash };
}

/** Copies the hash, so that the digest does not keep a whole message alive. */
export function decodeDigest(wire: WireDigest): Digest {
  return toDigest(toHash(new Uint8Array(wire.blake3)), wire.sizeBytes);
}

export function isDigest(blob: BlobHash | Digest): blob is Digest {
  return !(blob instanceof Uint8Array);
}

/** Cuts an array into runs of at most `length`. */
export function* inRunsOf<Item>(items: readonly Item[], length: number): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += length) yield items.slice(start, start + length);
}
