import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { gearTable, maskOfBits } from '../../src/chunk/gear-table.js';

describe('the gear table', () => {
  it('is the first half of the MD5 of each byte repeated 64 times', () => {
    const { high, low } = gearTable();
    for (let byte = 0; byte < 256; byte++) {
      const md5 = createHash('md5').update(Buffer.alloc(64, byte)).digest();
      expect([high[byte], low[byte]]).toEqual([md5.readUInt32BE(0), md5.readUInt32BE(4)]);
    }
  });

  it('takes a seed into every number', () => {
    const seed = 0x0123_4567_89ab_cdefn;
    const [plain, seeded] = [gearTable(), gearTable(seed)];
    expect(seeded.high[7]).toBe((plain.high[7]! ^ 0x0123_4567) >>> 0);
    expect(seeded.low[7]).toBe((plain.low[7]! ^ 0x89ab_cdef) >>> 0);
  });

  it('has masks of so many bits, none of them the highest', () => {
    for (let bits = 5; bits <= 25; bits++) {
      const { high, low } = maskOfBits(bits);
      const ones = [...(high.toString(2) + low.toString(2))].filter((digit) => digit === '1').length;
      expect(ones).toBe(bits);
      expect(high).toBeLessThan(2 ** 31);
    }
  });
});
