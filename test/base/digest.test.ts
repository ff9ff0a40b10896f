// Digests and hashes: what is taken, what is refused, and that text and bytes go round.

import { describe, expect, it } from 'vitest';
import {
  emptyDigest,
  formatHash,
  hashesEqual,
  hashHex,
  hashKey,
  hashLength,
  hashOfKey,
  parseHash,
  toDigest,
  toHash,
} from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import { hashBytes } from '../../src/blake3/hasher.js';
import { seededRandom, testSeed } from '../support/random.js';

const hex = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';
const invalid = expect.objectContaining({ code: 'invalid_argument' });

describe('parseHash', () => {
  it.each([
    { name: 'the prefix', text: `blake3:${hex}` },
    { name: 'no prefix', text: hex },
    { name: 'capitals', text: hex.toUpperCase() },
    { name: 'the prefix and capitals', text: `blake3:${hex.toUpperCase()}` },
  ])('reads $name', ({ text }) => {
    expect(hashHex(parseHash(text))).toBe(hex);
  });

  it.each([
    { name: 'nothing', text: '' },
    { name: 'only the prefix', text: 'blake3:' },
    { name: 'a digit too few', text: hex.slice(1) },
    { name: 'a digit too many', text: `${hex}0` },
    { name: 'a letter beyond f', text: `${hex.slice(1)}g` },
    { name: 'another hash', text: `sha256:${hex}` },
    { name: 'the prefix twice', text: `blake3:blake3:${hex}` },
    { name: 'the prefix in capitals', text: `BLAKE3:${hex}` },
    { name: 'space before', text: ` ${hex}` },
    { name: 'space behind', text: `${hex} ` },
    { name: 'a line end', text: `${hex}\n` },
    { name: 'a line end in place of a digit', text: `${hex.slice(1)}\n` },
    { name: '0x', text: `0x${hex.slice(2)}` },
    { name: 'a sign', text: `-${hex.slice(1)}` },
    { name: 'full-width digits', text: `${hex.slice(1)}０` },
    { name: 'a null byte', text: `${hex}\0` },
  ])('refuses $name', ({ text }) => {
    expect(() => parseHash(text)).toThrow(invalid);
  });

  it('turns round what hashHex and formatHash write', () => {
    const random = seededRandom(testSeed('parseHash'));
    for (let i = 0; i < 1000; i++) {
      const hash = toHash(random.bytes(hashLength));
      expect(hashHex(hash)).toBe(Buffer.from(hash).toString('hex'));
      expect(formatHash(hash)).toBe(`blake3:${hashHex(hash)}`);
      expect(hashesEqual(parseHash(hashHex(hash)), hash)).toBe(true);
      expect(hashesEqual(parseHash(formatHash(hash)), hash)).toBe(true);
    }
  });
});

describe('toHash', () => {
  it.each([0, 1, 31, 33, 64])('refuses %d bytes', (length) => {
    expect(() => toHash(new Uint8Array(length))).toThrow(invalid);
  });
  it('takes 32 bytes as they are', () => {
    const bytes = new Uint8Array(32);
    expect(toHash(bytes)).toBe(bytes);
  });
});

describe('toDigest', () => {
  const hash = parseHash(hex);
  it.each([0, 1, limits.blobBytesMax, Number.MAX_SAFE_INTEGER, 0n, 7n, BigInt(Number.MAX_SAFE_INTEGER)])(
    'takes a size of %s',
    (size) => {
      expect(toDigest(hash, size).size).toBe(Number(size));
      expect(toDigest(hash, size).hash).toBe(hash);
    },
  );
  it.each([
    -1,
    -1n,
    0.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    2n ** 53n,
    2n ** 53n + 1n,
    2n ** 63n,
    2n ** 64n - 1n,
    2n ** 64n,
    10n ** 400n,
  ])('refuses a size of %s', (size) => {
    expect(() => toDigest(hash, size)).toThrow(invalid);
  });
});

describe('hashesEqual', () => {
  it('sees every bit', () => {
    const hash = parseHash(hex);
    expect(hashesEqual(hash, hash.slice())).toBe(true);
    for (let bit = 0; bit < 256; bit++) {
      const other = hash.slice();
      other[bit >> 3]! ^= 1 << (bit & 7);
      expect(hashesEqual(hash, other)).toBe(false);
      expect(hashesEqual(other, hash)).toBe(false);
    }
  });
});

describe('hashKey', () => {
  it('has a character for each byte, and comes back as the hash', () => {
    const random = seededRandom(testSeed('keys of hashes'));
    for (let round = 0; round < 100; round++) {
      const hash = hashBytes(random.bytes(9));
      expect(hashKey(hash)).toBe(Buffer.from(hash).toString('latin1'));
      expect(hashesEqual(hashOfKey(hashKey(hash)), hash)).toBe(true);
    }
  });
});

describe('emptyDigest', () => {
  it('is the digest of no bytes', () => {
    expect(emptyDigest.size).toBe(0);
    expect(hashHex(emptyDigest.hash)).toBe(hashHex(hashBytes(new Uint8Array(0))));
  });
});
