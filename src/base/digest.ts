// Names of blobs. A `BlobHash` is 32 bytes of BLAKE3; a `Digest` is that hash with the blob's size. Both are branded:
// the only ways to get one are the functions here and `blake3/`, so a value of these types has been checked.

import { CairnError } from './errors.js';

declare const checked: unique symbol;

/** 32 bytes of BLAKE3. Never changed after it was made. */
export type BlobHash = Uint8Array & { readonly [checked]: 'hash' };

export interface Digest {
  readonly hash: BlobHash;
  /** Length of the blob in bytes, at most `blobBytesMax`. */
  readonly size: number;
  readonly [checked]: 'digest';
}

export const hashLength = 32;

const textPrefix = 'blake3:';
const hex64 = /^[0-9a-fA-F]{64}$/;

/** Takes 32 bytes as a hash, without copying. `invalid_argument` for any other length. */
export function toHash(bytes: Uint8Array): BlobHash {
  if (bytes.length !== hashLength) {
    throw new CairnError('invalid_argument', `a BLAKE3 hash has ${hashLength} bytes, not ${bytes.length}`);
  }
  return bytes as BlobHash;
}

/** `invalid_argument` when the size is no whole number from 0 to 2⁵³ − 1. */
export function toDigest(hash: BlobHash, size: number | bigint): Digest {
  const length = Number(size);
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new CairnError('invalid_argument', `${size} is no blob size`);
  }
  return { hash, size: length } as Digest;
}

/** Reads `blake3:<64 hex>` or the 64 hex digits alone. */
export function parseHash(text: string): BlobHash {
  const hex = text.startsWith(textPrefix) ? text.slice(textPrefix.length) : text;
  if (!hex64.test(hex)) {
    throw new CairnError('invalid_argument', `${JSON.stringify(text)} is no digest: expected blake3:<64 hex digits>`);
  }
  const hash = new Uint8Array(hashLength);
  for (let i = 0; i < hashLength; i++) {
    hash[i] = 16 * valueOfDigit[hex.charCodeAt(2 * i)]! + valueOfDigit[hex.charCodeAt(2 * i + 1)]!;
  }
  return hash as BlobHash;
}

/** By character code, of the hexadecimal digits in either case. */
const valueOfDigit = Array.from({ length: 128 }, (_, code) => Number.parseInt(String.fromCharCode(code), 16));
const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** 64 hex digits. */
export function hashHex(hash: BlobHash): string {
  let hex = '';
  for (let i = 0; i < hashLength; i++) hex += hexOfByte[hash[i]!];
  return hex;
}

/** The key of a hash in a Map or Set: a character for each byte. Made in one call: a loop would leave a string for each. */
export function hashKey(h: BlobHash): string {
  // biome-ignore format: eight to a line
  return String.fromCharCode(
    h[0]!, h[1]!, h[2]!, h[3]!, h[4]!, h[5]!, h[6]!, h[7]!,
    h[8]!, h[9]!, h[10]!, h[11]!, h[12]!, h[13]!, h[14]!, h[15]!,
    h[16]!, h[17]!, h[18]!, h[19]!, h[20]!, h[21]!, h[22]!, h[23]!,
    h[24]!, h[25]!, h[26]!, h[27]!, h[28]!, h[29]!, h[30]!, h[31]!,
  );
}

/** The hash that has this key. */
export function hashOfKey(key: string): BlobHash {
  const hash = new Uint8Array(hashLength);
  for (let i = 0; i < hashLength; i++) hash[i] = key.charCodeAt(i);
  return hash as BlobHash;
}

/** The key of a digest in a Map or Set of many. */
export function digestKey({ hash, size }: Digest): string {
  return hashKey(hash) + size;
}

/** `blake3:<64 hex>`, as people see it. */
export function formatHash(hash: BlobHash): string {
  return textPrefix + hashHex(hash);
}

export function hashesEqual(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < hashLength; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The digest of zero bytes. Every store has this blob, always. */
export const emptyDigest: Digest = toDigest(
  parseHash('af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'),
  0,
);
