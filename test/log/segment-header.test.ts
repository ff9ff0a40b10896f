import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Durability } from '../../src/base/blob-store.js';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  type SegmentHeader,
  segmentHeaderAreaBytes,
} from '../../src/log/segment-header.js';

const anyHeader = fc.record({
  segment: fc.maxSafeNat(),
  salt: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  previousSegment: fc.maxSafeNat(),
  previousEnd: fc.maxSafeNat(),
  durability: fc.constantFrom<Durability>('disk', 'memory'),
  created: fc.maxSafeNat(),
});
const example: SegmentHeader = {
  segment: 2,
  salt: new Uint8Array(16),
  previousSegment: 1,
  previousEnd: 4096,
  durability: 'disk',
  created: 5,
};

describe('a segment header', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(anyHeader, (header) => {
        const area = encodeSegmentHeader(header);
        expect(area).toHaveLength(segmentHeaderAreaBytes);
        expect(decodeSegmentHeader(area)).toEqual(header);
      }),
    );
  });

  it('survives damage to one of its copies, and is not made up from two damaged ones', () => {
    fc.assert(
      fc.property(anyHeader, fc.nat(63), fc.nat(63), (header, first, second) => {
        const area = encodeSegmentHeader(header);
        area[first]! ^= 1;
        expect(decodeSegmentHeader(area)).toEqual(header);
        area[2048 + second]! ^= 1;
        expect(decodeSegmentHeader(area)).toBeUndefined();
      }),
    );
  });

  it('is read from as much of the area as there is', () => {
    const area = encodeSegmentHeader(example);
    expect(decodeSegmentHeader(area.subarray(0, 63))).toBeUndefined();
    expect(decodeSegmentHeader(area.subarray(0, 64))).toEqual(example);
  });

  it.each([
    { name: 'version', at: 8 },
    { name: 'flags', at: 10 },
  ])('of an unknown $name is refused, not taken for damage', ({ at }) => {
    const area = encodeSegmentHeader(example);
    area[at] = 9;
    new DataView(area.buffer).setUint32(60, crc32(area.subarray(0, 60)), true);
    expect(() => decodeSegmentHeader(area)).toThrow(expect.objectContaining({ code: 'failed_precondition' }));
  });

  it('is not seen in arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (noise) => {
        expect(decodeSegmentHeader(noise)).toBeUndefined();
        noise.set(encodeSegmentHeader(example).subarray(0, Math.min(8, noise.length)));
        expect(decodeSegmentHeader(noise)).toBeUndefined();
      }),
    );
  });
});
