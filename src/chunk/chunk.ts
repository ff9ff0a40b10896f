// A chunk as a manifest lists it, and as people see it: `c_` and the digits of its BLAKE3 hash, with the SHA-256 beside it.

import { type BlobHash, type Digest, hashHex, parseHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { digestBlob } from '../blake3/hasher.js';

export interface Chunk {
  /** The blob that holds its bytes, at least one. */
  readonly digest: Digest;
  /** SHA-256 of the same bytes, 32 of them. */
  readonly sha256: Uint8Array;
}

const prefix = 'c_';

/** The name of a chunk that is at hand as a whole. */
export function digestChunk(bytes: Uint8Array): Digest {
  return digestBlob(bytes);
}

export function formatChunkId({ hash }: Digest): string {
  return prefix + hashHex(hash);
}

/** `invalid_argument` unless it is `c_` and 64 hex digits. */
export function parseChunkId(text: string): BlobHash {
  if (!/^c_[0-9a-fA-F]{64}$/.test(text)) {
    throw new CairnError('invalid_argument', `${JSON.stringify(text)} is no chunk: expected c_<64 hex digits>`);
  }
  return parseHash(text.slice(prefix.length));
}

/** `sha256:<64 hex>`. */
export function formatChecksum({ sha256 }: Chunk): string {
  return `sha256:${Array.from(sha256, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
