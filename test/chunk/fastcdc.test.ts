// FastCDC against published vectors, against the algorithm as it is written down, and its two hashes against each other.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { StreamCutter } from '../../src/chunk/cutter.js';
import { FastCdcCutter, type FastCdcSizes, fastCdcSizes } from '../../src/chunk/fastcdc.js';
import type { GearHash } from '../../src/chunk/gear-hash.js';
import { type GearTable, gearTable, standardGear } from '../../src/chunk/gear-table.js';
import { PlainGearHash } from '../../src/chunk/plain-gear-hash.js';
import { WasmGearHash } from '../../src/chunk/wasm-gear-hash.js';
import { randomSplit, seededRandom, testRounds, testSeed } from '../support/random.js';
import { describeWith, sharedPath } from '../support/shared.js';

const hashes: readonly { name: string; create: (table: GearTable) => GearHash }[] = [
  { name: 'WebAssembly', create: (table) => new WasmGearHash(table) },
  { name: 'plain JavaScript', create: (table) => new PlainGearHash(table) },
];

/** Lengths of the chunks of a stream that comes in these pieces. */
function cut(pieces: Iterable<Uint8Array>, sizes: FastCdcSizes, hash: GearHash): number[] {
  const cutter = new StreamCutter(new FastCdcCutter(sizes, hash));
  const lengths: number[] = [];
  let length = 0;
  for (const piece of pieces) {
    for (const { bytes, ends } of cutter.push(piece)) {
      length += bytes.length;
      if (!ends) continue;
      lengths.push(length);
      length = 0;
    }
  }
  length += cutter.rest().length;
  return length > 0 ? [...lengths, length] : lengths;
}

const vectors = sharedPath('vectors/fastcdc2020.txt');
const image = sharedPath('vectors/SekienAkashita.jpg');

describeWith('published vectors', 'vectors/fastcdc2020.txt', vectors && image, () => {
  const bytes = readFileSync(image!);
  const sections = readFileSync(vectors!, 'utf8')
    .split(/^# Seed: /m)
    .slice(1);
  const cases = sections.flatMap((section) => {
    const [seed, ...lines] = section.trim().split('\n');
    const chunks = lines.map((line) => line.split('\t'));
    return hashes.map(({ name, create }) => ({ name: `seed ${seed}, ${name}`, seed: BigInt(seed!), chunks, create }));
  });

  it.each(cases)('$name', ({ seed, chunks, create }) => {
    const lengths = cut([bytes], { min: 4096, average: 16_384, max: 65_535 }, create(gearTable(seed)));
    expect(lengths).toEqual(chunks.map(([, length]) => Number(length)));
    let start = 0;
    for (const [offset, length, sha256] of chunks) {
      expect(start).toBe(Number(offset));
      const chunk = bytes.subarray(start, start + Number(length));
      expect(createHash('sha256').update(chunk).digest('hex')).toBe(sha256);
      start += Number(length);
    }
    expect(start).toBe(bytes.length);
  });
});

/** The algorithm over a whole input, as the paper writes it, with numbers of 64 bits. */
function cutByTheBook(bytes: Uint8Array, { min, average, max }: FastCdcSizes): number[] {
  const gear = Array.from(standardGear.high, (high, i) => (BigInt(high) << 32n) | BigInt(standardGear.low[i]!));
  const word = (1n << 64n) - 1n;
  // 1 KiB: 12 bits before the average, 8 behind it.
  const [strict, lax] = [0x0000d90103530000n, 0x0000001800035300n];
  const lengths: number[] = [];
  for (let start = 0; start < bytes.length; start += lengths.at(-1)!) {
    const size = Math.min(bytes.length - start, max);
    let length = size;
    let hash = 0n;
    for (let i = min; i < size - (size % 2); i++) {
      hash = ((hash << 1n) + gear[bytes[start + i]!]!) & word;
      if ((hash & (i < average ? strict : lax)) !== 0n) continue;
      length = i;
      break;
    }
    lengths.push(length);
  }
  return lengths;
}

describe('FastCDC', () => {
  const seed = testSeed('FastCDC');

  it('cuts the same chunks however the input is split, by either hash, as the paper says', () => {
    const random = seededRandom(seed);
    const sizes = fastCdcSizes(1024);
    for (let round = 0; round < 60 * testRounds(); round++) {
      const bytes = random.bytes(random.below(40_000));
      // Runs of equal bytes have no border within them, and make chunks of the largest size.
      if (random.chance(0.3)) bytes.fill(7, random.below(bytes.length), bytes.length);
      const want = cutByTheBook(bytes, sizes);
      for (const { create } of hashes) {
        expect(cut([bytes], sizes, create(standardGear))).toEqual(want);
        const pieces = randomSplit(random, bytes, random.pick([1, 2, 3, 100, 5000, 70_000]));
        expect(cut(pieces, sizes, create(standardGear))).toEqual(want);
      }
    }
  });

  it('ends the same where the last byte would be a border', () => {
    const random = seededRandom(seed);
    const sizes = fastCdcSizes(1024);
    const bytes = random.bytes(30_000);
    const borders: number[] = [];
    let sum = 0;
    for (const length of cutByTheBook(bytes, sizes)) {
      sum += length;
      borders.push(sum);
    }
    for (const border of borders) {
      for (let end = border - 1; end <= border + 2; end++) {
        const start = bytes.subarray(0, end);
        const want = cutByTheBook(start, sizes);
        expect(cut([start.subarray(0, border), start.subarray(border)], sizes, new WasmGearHash(standardGear))).toEqual(
          want,
        );
      }
    }
  });

  it('begins anew at a border: the rest of a stream is cut as within it', () => {
    const random = seededRandom(seed);
    const sizes = fastCdcSizes(1024);
    const bytes = random.bytes(50_000);
    const all = cut([bytes], sizes, new PlainGearHash(standardGear));
    const rest = cut([bytes.subarray(all[0]! + all[1]!)], sizes, new PlainGearHash(standardGear));
    expect(rest).toEqual(all.slice(2));
  });

  it('keeps to its smallest and largest size', () => {
    const random = seededRandom(seed);
    const sizes = fastCdcSizes(4096);
    const lengths = cut([random.bytes(1 << 20)], sizes, new WasmGearHash(standardGear));
    for (const length of lengths.slice(0, -1)) {
      expect(length).toBeGreaterThanOrEqual(sizes.min);
      expect(length).toBeLessThanOrEqual(sizes.max);
    }
    expect(cut([new Uint8Array(100_000)], sizes, new WasmGearHash(standardGear))[0]).toBe(sizes.max);
  });

  it.each([0, 512, 1000, 3 << 10, 2 << 20, Number.NaN])('takes no average of %d', (average) => {
    expect(() => fastCdcSizes(average)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });
});
