// What a BLAKE3 implementation offers. Both engines give the same digests; `hasher.ts` chooses.

import type { BlobHash, Digest } from '../base/digest.js';

/** Hashes a blob piece by piece. Give it all bytes, then either `digest` or `discard` once. */
export interface Hasher {
  /** Reads the bytes before it returns and does not keep them. */
  update(bytes: Uint8Array): void;
  /** The name of all bytes so far. Ends the hasher. */
  digest(): Digest;
  /** Ends the hasher without an answer and frees what it holds. */
  discard(): void;
}

export interface HashEngine {
  readonly name: 'native' | 'wasm';
  hash(bytes: Uint8Array): BlobHash;
  createHasher(): Hasher;
}
