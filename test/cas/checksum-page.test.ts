// A page against brute force: what it lets pass is what was stored, however little of it was read.

import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { errorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import type { ByteRange } from '../../src/base/range.js';
import { ChecksumPage } from '../../src/cas/checksum-page.js';
import { checksumTable } from '../support/checksum-table.js';
import { seededRandom, testRounds, testSeed } from '../support/random.js';

const { blockBytes, blockPieceBytes } = limits;
const size = 5 * blockBytes + 1000;
const random = seededRandom(testSeed('checksum pages'));
const blob = random.bytes(size);

function verdict(page: ChecksumPage, stored: Uint8Array, range: ByteRange): string {
  const extent = page.extent(range, size);
  try {
    page.verify(stored.subarray(extent.start, extent.end), extent, range, 'the blob');
    return 'ok';
  } catch (error) {
    return errorCode(error);
  }
}

function randomRange(): ByteRange {
  const start = random.below(size);
  return { start, end: random.between(start + 1, Math.min(size, start + 2 * blockBytes)) };
}

describe('ChecksumPage', () => {
  it('reads less of a block from the second time on', () => {
    const page = new ChecksumPage(0, checksumTable(blob), true);
    const range = { start: blockBytes + blockPieceBytes + 5, end: 2 * blockBytes + 1 };
    expect(page.extent(range, size)).toEqual({ start: blockBytes, end: 3 * blockBytes });
    expect(verdict(page, blob, range)).toBe('ok');
    const pieces = { start: blockBytes + blockPieceBytes, end: 2 * blockBytes + blockPieceBytes };
    expect(page.extent(range, size)).toEqual(pieces);
    expect(verdict(page, blob, range)).toBe('ok');
  });

  it.each([true, false])('finds any damage of the bytes it hands out (remembers pieces: %s)', (remembers) => {
    const page = new ChecksumPage(0, checksumTable(blob), remembers);
    for (let round = 0; round < 300 * testRounds(); round++) {
      const range = randomRange();
      const extent = page.extent(range, size);
      expect(extent.start <= range.start && extent.end >= range.end).toBe(true);
      const damaged = blob.slice();
      damaged[random.between(range.start, range.end - 1)]! ^= 1 << random.below(8);
      expect(verdict(page, damaged, range)).toBe('corrupt');
      expect(verdict(page, blob, range)).toBe('ok');
    }
  });

  it('learns nothing from a damaged block', () => {
    const page = new ChecksumPage(0, checksumTable(blob), true);
    const damaged = blob.slice();
    damaged[blockBytes - 1]! ^= 1;
    const range = { start: 10, end: 20 };
    expect(verdict(page, damaged, range)).toBe('corrupt');
    expect(page.extent(range, size)).toEqual({ start: 0, end: blockBytes });
  });

  it('checks the short last block as a whole', () => {
    const page = new ChecksumPage(4, checksumTable(blob).subarray(16), true);
    const range = { start: size - 10, end: size };
    for (let i = 0; i < 2; i++) {
      expect(page.extent(range, size)).toEqual({ start: 5 * blockBytes, end: size });
      expect(verdict(page, blob, range)).toBe('ok');
    }
  });

  it('goes on checking the whole of a block with a piece whose checksum is 0', () => {
    const bytes = random.bytes(blockBytes);
    bytes.set(pieceWithChecksum0());
    const page = new ChecksumPage(0, checksumTable(bytes), true);
    const range = { start: 1, end: 2 };
    const whole = { start: 0, end: blockBytes };
    for (let i = 0; i < 2; i++) {
      expect(page.extent(range, blockBytes)).toEqual(whole);
      page.verify(bytes, whole, range, 'the blob');
    }
  });
});

/** Its last four bytes make it so: a CRC-32 passes through all values as they do, and is linear in them. */
function pieceWithChecksum0(): Uint8Array {
  const piece = new Uint8Array(blockPieceBytes);
  const tail = new DataView(piece.buffer, blockPieceBytes - 4);
  const ofZeros = crc32(piece);
  const rows = Array.from({ length: 32 }, (_, bit) => {
    tail.setUint32(0, (1 << bit) >>> 0);
    return { bit: (1 << bit) >>> 0, effect: (crc32(piece) ^ ofZeros) >>> 0 };
  });
  let value = 0;
  let left = ofZeros;
  for (let column = 31; column >= 0; column--) {
    const pivot = rows.find(({ effect }) => 31 - Math.clz32(effect) === column);
    if (pivot === undefined) continue;
    for (const row of rows) {
      if (row === pivot || ((row.effect >>> column) & 1) === 0) continue;
      row.effect = (row.effect ^ pivot.effect) >>> 0;
      row.bit = (row.bit ^ pivot.bit) >>> 0;
    }
    if (((left >>> column) & 1) === 1) {
      left = (left ^ pivot.effect) >>> 0;
      value = (value ^ pivot.bit) >>> 0;
    }
  }
  tail.setUint32(0, value);
  expect(crc32(piece)).toBe(0);
  return piece;
}
