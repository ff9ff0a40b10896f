import { describe, expect, it } from 'vitest';
import { BufferPair } from '../../src/base/buffer-pair.js';
import { limits } from '../../src/base/limits.js';

const block = limits.blockBytes;
const size = 100 * block + 7;

describe('a pair of buffers', () => {
  it('takes turns, once both are large enough', () => {
    const pair = new BufferPair();
    const first = pair.scratchFor({ start: 0, end: 4 * block }, size);
    const second = pair.scratchFor({ start: 0, end: 8 * block }, size);
    expect(second).not.toBe(first);
    const third = pair.scratchFor({ start: 0, end: 8 * block }, size);
    expect([first, second]).not.toContain(third);
    expect(pair.scratchFor({ start: 0, end: 2 * block }, size)).toBe(second);
    expect(pair.scratchFor({ start: 0, end: 8 * block }, size)).toBe(third);
    pair.forget();
    expect([second, third]).not.toContain(pair.scratchFor({ start: 0, end: 8 * block }, size));
  });

  it.each([
    { start: 0, end: 2 * block, bytes: 2 * block },
    { start: 1, end: 2 * block, bytes: 2 * block },
    { start: block, end: 2 * block + 1, bytes: 2 * block },
    { start: block - 1, end: 2 * block + 1, bytes: 3 * block },
    { start: 98 * block, end: size, bytes: 2 * block + 7 },
  ])('has room for all blocks of $start to $end', ({ start, end, bytes }) => {
    expect(new BufferPair().scratchFor({ start, end }, size)?.length).toBe(bytes);
  });

  it('has nothing for little', () => {
    expect(new BufferPair().scratchFor({ start: 0, end: limits.firstReadBytes }, size)).toBeUndefined();
  });
});
