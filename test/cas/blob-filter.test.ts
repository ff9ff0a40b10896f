import { describe, expect, it } from 'vitest';
import { type BlobHash, toHash } from '../../src/base/digest.js';
import { BlobFilter, filterBlockBytes } from '../../src/cas/blob-filter.js';
import { type SeededRandom, seededRandom, testSeed } from '../support/random.js';

function strangers(filter: BlobFilter, random: SeededRandom, make: (random: SeededRandom) => BlobHash): number {
  const asked = 20_000;
  let passed = 0;
  for (let i = 0; i < asked; i++) if (filter.mayHold(make(random))) passed++;
  return passed / asked;
}

const anyHash = (random: SeededRandom) => toHash(random.bytes(32));

/** As on a node that owns one placement group. */
const nearHash = (random: SeededRandom) => {
  const hash = toHash(random.bytes(32));
  hash.fill(7, 0, 8);
  return hash;
};

describe('BlobFilter', () => {
  it.each([
    ['any hashes', anyHash],
    ['hashes with the same beginning', nearHash],
  ])('knows %s, and few strangers at ten bits for each', (_, make) => {
    const random = seededRandom(testSeed('filter'));
    const filter = new BlobFilter(25_000 - (25_000 % filterBlockBytes));
    const hashes = Array.from({ length: 20_000 }, () => make(random));
    for (const hash of hashes) filter.add(hash);
    expect(hashes.every((hash) => filter.mayHold(hash))).toBe(true);
    expect(filter.addedCount).toBe(20_000);
    expect(strangers(filter, random, make)).toBeLessThan(0.02);
  });

  it('knows its own also when there are far too many, and no stranger when it is empty', () => {
    const random = seededRandom(testSeed('full filter'));
    const filter = new BlobFilter(filterBlockBytes);
    expect(strangers(filter, random, anyHash)).toBe(0);
    const hashes = Array.from({ length: 1000 }, () => anyHash(random));
    for (const hash of hashes) filter.add(hash);
    expect(hashes.every((hash) => filter.mayHold(hash))).toBe(true);
  });

  it('can be made again from its bytes', () => {
    const random = seededRandom(testSeed('filter from bytes'));
    const filter = new BlobFilter(2 * filterBlockBytes);
    const hash = anyHash(random);
    filter.add(hash);
    const copy = new BlobFilter(filter.bytes.length);
    expect(copy.mayHold(hash)).toBe(false);
    copy.bytes.set(filter.bytes);
    expect(copy.mayHold(hash)).toBe(true);
  });
});
