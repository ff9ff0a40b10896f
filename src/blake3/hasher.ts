// BLAKE3 for everybody else: native when it loads, WebAssembly otherwise.

import { type BlobHash, type Digest, toDigest } from '../base/digest.js';
import type { HashEngine, Hasher } from './hash-engine.js';
import { nativeEngine } from './native-engine.js';

/** The engine behind `createHasher` and `digestBlob`, to be named in logs and benches. */
export const hashEngine: HashEngine = nativeEngine ?? (await import('./wasm-engine.js')).wasmEngine;

export function hashBytes(bytes: Uint8Array): BlobHash {
  return hashEngine.hash(bytes);
}

/** The name of a blob that is at hand as a whole. */
export function digestBlob(bytes: Uint8Array): Digest {
  return toDigest(hashBytes(bytes), bytes.length);
}

export function createHasher(): Hasher {
  return hashEngine.createHasher();
}
