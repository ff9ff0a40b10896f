import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../src/base/bytes.js';
import { randomSplit, seededRandom, testSeed } from '../support/random.js';

describe('concatBytes', () => {
  it('answers no bytes for no pieces', () => {
    expect(concatBytes([])).toEqual(new Uint8Array(0));
  });
  it('answers the only piece as it is', () => {
    const piece = new Uint8Array(5);
    expect(concatBytes([piece])).toBe(piece);
  });
  it('joins any split into bytes of their own', () => {
    const random = seededRandom(testSeed('concatBytes'));
    for (let round = 0; round < 200; round++) {
      const whole = random.bytes(random.below(2000));
      const pieces = [new Uint8Array(0), ...randomSplit(random, whole, 300), new Uint8Array(0)];
      const joined = concatBytes(pieces);
      expect(joined).toEqual(whole.slice());
      expect(joined.buffer).not.toBe(whole.buffer);
    }
  });
});
