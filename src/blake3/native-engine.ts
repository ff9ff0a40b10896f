// BLAKE3 by `@napi-rs/blake-hash`, 4–6 GB/s on one core. An optional dependency: undefined where no build of it loads.

import { createRequire } from 'node:module';
import { type BlobHash, hashLength, toDigest, toHash } from '../base/digest.js';
import { assert } from '../base/errors.js';
import type { HashEngine } from './hash-engine.js';

type NativeModule = typeof import('@napi-rs/blake-hash');

function loadNative(): NativeModule | undefined {
  try {
    return createRequire(import.meta.url)('@napi-rs/blake-hash') as NativeModule;
  } catch {
    return undefined;
  }
}

const decoded = Buffer.alloc(hashLength);

/** Text is the cheaper way out of the module: a buffer of its own costs more to release than 2 KiB to hash. */
function decodeHash(text: string): BlobHash {
  assert(decoded.write(text, 'base64url') === hashLength, 'the native hash has 32 bytes');
  return toHash(new Uint8Array(decoded));
}

function engineOf(native: NativeModule): HashEngine {
  return {
    name: 'native',
    hash: (bytes) => decodeHash(native.blake3UrlSafeBase64(bytes)),
    createHasher() {
      const state = new native.Blake3Hasher();
      let size = 0;
      return {
        update(bytes) {
          state.update(bytes);
          size += bytes.length;
        },
        digest: () => toDigest(toHash(new Uint8Array(state.digestBuffer())), size),
        discard: () => {},
      };
    },
  };
}

const native = loadNative();

export const nativeEngine: HashEngine | undefined = native && engineOf(native);
