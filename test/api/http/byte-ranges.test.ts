import { describe, expect, it } from 'vitest';
import { contentRange, parseByteRanges, unsatisfiedRange } from '../../../src/api/http/byte-ranges.js';
import { errorCode } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import type { ByteRange } from '../../../src/base/range.js';

describe('parseByteRanges', () => {
  const table: { header: string; size: number; want: [number, number][] | 'ignored' | 'refused' }[] = [
    { header: 'bytes=0-0', size: 10, want: [[0, 1]] },
    { header: 'bytes=0-9', size: 10, want: [[0, 10]] },
    { header: 'bytes=3-', size: 10, want: [[3, 10]] },
    { header: 'bytes=9-', size: 10, want: [[9, 10]] },
    { header: 'bytes=3-99', size: 10, want: [[3, 10]] },
    { header: 'bytes=-3', size: 10, want: [[7, 10]] },
    { header: 'bytes=-10', size: 10, want: [[0, 10]] },
    { header: 'bytes=-11', size: 10, want: [[0, 10]] },
    { header: 'bytes=-99999999999999999999999', size: 10, want: [[0, 10]] },
    { header: 'BYTES=1-2', size: 10, want: [[1, 3]] },
    {
      header: 'bytes=1-2, 5-6',
      size: 10,
      want: [
        [1, 3],
        [5, 7],
      ],
    },
    {
      header: 'bytes=5-6,1-2',
      size: 10,
      want: [
        [5, 7],
        [1, 3],
      ],
    },
    {
      header: 'bytes=1-2, -2',
      size: 10,
      want: [
        [1, 3],
        [8, 10],
      ],
    },
    { header: 'bytes=1-3,3-5', size: 10, want: [[1, 6]] },
    { header: 'bytes=1-3,4-5', size: 10, want: [[1, 6]] },
    { header: 'bytes=0-,1-2,-99', size: 10, want: [[0, 10]] },
    { header: 'bytes=1-2,50-60', size: 10, want: [[1, 3]] },
    { header: 'bytes=10-', size: 10, want: 'refused' },
    { header: 'bytes=10-20', size: 10, want: 'refused' },
    { header: 'bytes=-0', size: 10, want: 'refused' },
    { header: 'bytes=5-3', size: 10, want: 'refused' },
    { header: 'bytes=0-', size: 0, want: 'ignored' },
    { header: 'bytes=-1', size: 0, want: 'ignored' },
    { header: 'bytes=', size: 10, want: 'ignored' },
    { header: 'bytes=-', size: 10, want: 'ignored' },
    { header: 'bytes=a-b', size: 10, want: 'ignored' },
    { header: 'bytes=1', size: 10, want: 'ignored' },
    { header: 'bytes', size: 10, want: 'ignored' },
    { header: 'items=0-1', size: 10, want: 'ignored' },
    { header: 'items=50-60', size: 10, want: 'ignored' },
    { header: '', size: 10, want: 'ignored' },
  ];

  it.each(table)('$header of $size bytes', ({ header, size, want }) => {
    expect(outcome(header, size)).toEqual(Array.isArray(want) ? want.map(([start, end]) => ({ start, end })) : want);
  });

  it('takes as many ranges as the limit says and no more', () => {
    const apart = (count: number) => `bytes=${Array.from({ length: count }, (_, i) => `${2 * i}-${2 * i}`).join(',')}`;
    expect(outcome(apart(limits.rangesPerRequestCountMax), 10_000)).toHaveLength(limits.rangesPerRequestCountMax);
    expect(outcome(apart(limits.rangesPerRequestCountMax + 1), 10_000)).toBe('refused');
  });
});

describe('Content-Range', () => {
  it('names first and last byte', () => {
    expect(contentRange({ start: 2, end: 5 }, 10)).toBe('bytes 2-4/10');
    expect(unsatisfiedRange(10)).toBe('bytes */10');
  });
});

function outcome(header: string, size: number): readonly ByteRange[] | 'ignored' | 'refused' {
  try {
    return parseByteRanges(header, size) ?? 'ignored';
  } catch (error) {
    expect(errorCode(error)).toBe('out_of_range');
    return 'refused';
  }
}
