// Ranges against an oracle that counts in BigInt alone, above all at the edges of 53 and 64 bits.

import { describe, expect, it } from 'vitest';
import { errorCode } from '../../src/base/errors.js';
import { type ByteRange, resolveRange } from '../../src/base/range.js';
import { seededRandom, testSeed } from '../support/random.js';

type Size = number | bigint;

function oracle(size: Size, start: Size, length: Size | undefined): string {
  const [whole, first] = [BigInt(size), BigInt(start)];
  const count = length === undefined ? whole - first : BigInt(length);
  const fits = first >= 0n && count >= 0n && first <= whole && first + count <= whole && first + count < 2n ** 64n;
  return fits ? `${first}–${first + count}` : 'out_of_range';
}

function resolved(size: number, start: Size, length: Size | undefined): string {
  let range: ByteRange;
  try {
    range = resolveRange(size, start, length);
  } catch (error) {
    return errorCode(error);
  }
  return `${range.start}–${range.end}`;
}

const uint64Max = 2n ** 64n - 1n;

describe('resolveRange', () => {
  it.each([
    { name: 'the whole blob', size: 10, start: 0, length: undefined, want: '0–10' },
    { name: 'the rest', size: 10, start: 4n, length: undefined, want: '4–10' },
    { name: 'a run inside', size: 10, start: 4, length: 3n, want: '4–7' },
    { name: 'up to the end', size: 10, start: 4, length: 6, want: '4–10' },
    { name: 'nothing at the start', size: 10, start: 0, length: 0, want: '0–0' },
    { name: 'nothing at the end', size: 10, start: 10, length: undefined, want: '10–10' },
    { name: 'nothing of nothing', size: 0, start: 0, length: undefined, want: '0–0' },
    { name: 'a byte too many', size: 10, start: 4, length: 7, want: 'out_of_range' },
    { name: 'a start behind the end', size: 10, start: 11, length: undefined, want: 'out_of_range' },
    { name: 'nothing behind the end', size: 10, start: 11, length: 0, want: 'out_of_range' },
    { name: 'a byte of nothing', size: 0, start: 0, length: 1, want: 'out_of_range' },
    { name: 'a sum that wraps to the start', size: 10, start: 1n, length: uint64Max, want: 'out_of_range' },
    { name: 'a sum that wraps into the blob', size: 10, start: 5n, length: uint64Max - 1n, want: 'out_of_range' },
    { name: 'the last start there is', size: 10, start: uint64Max, length: 1n, want: 'out_of_range' },
    { name: 'a negative start', size: 10, start: -1, length: 5, want: 'out_of_range' },
    { name: 'a negative length', size: 10, start: 5, length: -1n, want: 'out_of_range' },
  ])('answers $name', ({ size, start, length, want }) => {
    expect(resolved(size, start, length)).toBe(want);
    expect(oracle(size, start, length)).toBe(want);
  });

  it('agrees with the oracle at every edge', () => {
    const edges = [0n, 1n, 2n, 2n ** 31n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, uint64Max];
    const around = [...new Set(edges.flatMap((edge) => [edge - 1n, edge, edge + 1n]))].filter((n) => n <= uint64Max);
    const sizes = around.filter((n) => n >= 0n && n <= BigInt(Number.MAX_SAFE_INTEGER)).map(Number);
    for (const size of sizes) {
      for (const start of around) {
        for (const length of [undefined, ...around]) {
          expect(resolved(size, start, length)).toBe(oracle(size, start, length));
        }
      }
    }
  });

  it('agrees with the oracle at random', () => {
    const random = seededRandom(testSeed('resolveRange'));
    const any = (bits: number) => {
      const words = random.bytes(8).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
      return words & (2n ** BigInt(random.between(1, bits)) - 1n);
    };
    for (let i = 0; i < 20_000; i++) {
      const size = Number(any(53));
      const start = random.chance(0.5) ? any(64) : BigInt(random.below(size + 1));
      const rest = BigInt(size) - start;
      const length = random.pick([undefined, any(64), rest, rest + 1n, rest - 1n, 2n ** 64n - start]);
      expect(resolved(size, start, length)).toBe(oracle(size, start, length));
    }
  });
});
