import { describe, expect, it } from 'vitest';
import { systemRandom, uniqueName } from '../../src/base/random.js';
import { seededRandom } from '../support/random.js';

describe('systemRandom', () => {
  it.each([0, 1, 16, 1000, 65_536])('gives %d bytes', (count) => {
    expect(systemRandom.bytes(count)).toHaveLength(count);
  });
  it('does not repeat itself', () => {
    expect(systemRandom.bytes(32)).not.toEqual(systemRandom.bytes(32));
  });
});

describe('uniqueName', () => {
  it('writes 16 bytes as hex digits, with leading zeros', () => {
    expect(uniqueName({ bytes: (count) => new Uint8Array(count).fill(0x0a) })).toBe('0a'.repeat(16));
  });
  it('differs each time', () => {
    expect(new Set(Array.from({ length: 1000 }, () => uniqueName(systemRandom))).size).toBe(1000);
  });
});

describe('seededRandom', () => {
  it('repeats itself from the same seed and only then', () => {
    expect(seededRandom(7).bytes(100)).toEqual(seededRandom(7).bytes(100));
    expect(seededRandom(7).bytes(100)).not.toEqual(seededRandom(8).bytes(100));
  });
  it('reaches every number of a range', () => {
    const random = seededRandom(1);
    const counts = new Array(10).fill(0);
    for (let i = 0; i < 10_000; i++) counts[random.between(5, 14) - 5]++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(200);
  });
});
