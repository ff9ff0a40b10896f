import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { BlockChecksums, verifyBlocks } from '../../src/log/block-checksums.js';
import { checksumTable } from '../support/checksum-table.js';
import { randomSplit, seededRandom, testSeed } from '../support/random.js';

const { blockBytes } = limits;
const corrupt = expect.objectContaining({ code: 'corrupt' });
const random = seededRandom(testSeed('block checksums'));

const sizes = [0, 1, blockBytes - 1, blockBytes, blockBytes + 1, 5 * blockBytes, 40 * blockBytes + 123];

describe('block checksums', () => {
  it.each(sizes)('of %i bytes are the CRC-32 of each block, however the bytes come in', (size) => {
    const bytes = random.bytes(size);
    const want: number[] = [];
    for (let at = 0; at < size; at += blockBytes) want.push(crc32(bytes.subarray(at, at + blockBytes)));
    const checksums = new BlockChecksums();
    for (const piece of randomSplit(random, bytes, 3 * blockBytes)) checksums.update(piece);
    const table = checksums.finish();
    const view = new DataView(table.buffer, table.byteOffset, table.length);
    expect(want.map((_, block) => view.getUint32(4 * block, true))).toEqual(want);
    expect(table).toHaveLength(4 * want.length);
    expect(checksumTable(bytes)).toEqual(table);
  });

  it('find one changed bit anywhere', () => {
    const bytes = random.bytes(3 * blockBytes + 100);
    const table = checksumTable(bytes);
    verifyBlocks(bytes, table, 'bytes');
    for (let round = 0; round < 20; round++) {
      const at = random.below(bytes.length);
      const before = bytes[at]!;
      bytes[at]! ^= 1 << random.below(8);
      expect(() => verifyBlocks(bytes, table, 'bytes')).toThrow(corrupt);
      const block = Math.floor(at / blockBytes);
      const others = bytes.subarray((block + 1) * blockBytes);
      verifyBlocks(others, table.subarray(4 * (block + 1)), 'the blocks behind');
      bytes[at] = before;
    }
  });

  it('find bytes that are missing at the end of a block', () => {
    const bytes = random.bytes(2 * blockBytes);
    expect(() => verifyBlocks(bytes.subarray(0, blockBytes), checksumTable(bytes), 'bytes', bytes.length)).toThrow(
      corrupt,
    );
  });
});
