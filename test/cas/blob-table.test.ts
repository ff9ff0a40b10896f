import { describe, expect, test } from 'vitest';
import { type BlobHash, hashHex, toHash } from '../../src/base/digest.js';
import { type BlobRow, BlobTable } from '../../src/cas/blob-table.js';
import { decodeSlots, shardCount, slotBytes } from '../../src/cas/table-slot.js';
import { type SeededRandom, seededRandom, testRounds, testSeed } from '../support/random.js';

const row = (size: number): BlobRow => ({ size, segment: 1, offset: 8 * size, large: false });

function randomRow(random: SeededRandom): BlobRow {
  return {
    size: random.pick([0, 1, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 40 - 1]),
    segment: random.pick([0, 1, 2 ** 31, 2 ** 32 - 1]),
    offset: random.pick([0, 4096, 2 ** 32 - 1]),
    large: random.chance(0.5),
  };
}

/** Hashes that all belong into one shard, with homes spread over it or all at its end. */
function hashesOfOneShard(random: SeededRandom, table: BlobTable, count: number, homes: 'spread' | 'end'): BlobHash[] {
  const [a, b] = table.secret;
  const wanted = random.below(shardCount);
  const found: BlobHash[] = [];
  // Choose the mixed hash, and solve for the last word: its multiplier is odd, so it has an inverse.
  let inverse = b;
  for (let i = 0; i < 5; i++) inverse = Math.imul(inverse, 2 - Math.imul(b, inverse));
  const fractionBits = 32 - Math.log2(shardCount);
  while (found.length < count) {
    const hash = toHash(random.bytes(32));
    const view = new DataView(hash.buffer, hash.byteOffset);
    const fraction = homes === 'end' ? 2 ** fractionBits - 1 : random.below(2 ** fractionBits);
    const mixed = wanted * 2 ** fractionBits + fraction;
    view.setUint32(28, Math.imul(mixed - Math.imul(view.getUint32(24, true), a), inverse) >>> 0, true);
    found.push(hash);
  }
  return found;
}

function expectSame(table: BlobTable, oracle: Map<string, { hash: BlobHash; row: BlobRow }>, absent: BlobHash[]): void {
  expect(table.count).toBe(oracle.size);
  let bytes = 0;
  for (const { hash, row } of oracle.values()) {
    bytes += row.size;
    expect(table.get(hash)).toEqual(row);
    expect(table.sizeOf(hash)).toBe(row.size);
  }
  expect(table.bytes).toBe(bytes);
  const asked = [...Array.from(oracle.values(), ({ hash }) => hash), ...absent];
  expect(table.sizesOf(asked)).toEqual(asked.map((hash) => oracle.get(hashHex(hash))?.row.size ?? -1));
  for (const hash of absent) {
    if (oracle.has(hashHex(hash))) continue;
    expect(table.get(hash)).toBeUndefined();
    expect(table.sizeOf(hash)).toBe(-1);
  }
  const visited = new Map<string, BlobRow>();
  table.forEach((hash, row) => void visited.set(hashHex(hash), row));
  expect(visited).toEqual(new Map([...oracle].map(([hex, { row }]) => [hex, row])));
}

const universes: { name: string; hashes: (random: SeededRandom, table: BlobTable) => BlobHash[] }[] = [
  { name: 'few hashes', hashes: (random) => Array.from({ length: 30 }, () => toHash(random.bytes(32))) },
  { name: 'many hashes', hashes: (random) => Array.from({ length: 2000 }, () => toHash(random.bytes(32))) },
  { name: 'one shard', hashes: (random, table) => hashesOfOneShard(random, table, 300, 'spread') },
  { name: 'one run around the end of a shard', hashes: (random, table) => hashesOfOneShard(random, table, 40, 'end') },
];

describe('BlobTable', () => {
  test.each(universes)('does what a map does, with $name', ({ name, hashes: make }) => {
    const random = seededRandom(testSeed(`table against a map, ${name}`));
    for (let round = 0; round < 3 * testRounds(); round++) {
      const table = BlobTable.create(random);
      const hashes = make(random, table);
      const oracle = new Map<string, { hash: BlobHash; row: BlobRow }>();
      for (const growing of [0.9, 0.5, 0.1, 0.8]) {
        for (let step = 0; step < hashes.length; step++) {
          const hash = random.pick(hashes);
          if (random.chance(growing)) {
            const row = randomRow(random);
            table.set(hash, row);
            oracle.set(hashHex(hash), { hash, row });
          } else {
            expect(table.delete(hash)).toBe(oracle.delete(hashHex(hash)));
          }
        }
        expectSame(table, oracle, hashes);
      }
      for (const hash of hashes) table.delete(hash);
      expectSame(table, new Map(), hashes);
    }
  });

  test('a hash that differs in a single bit is another', () => {
    const random = seededRandom(testSeed('table with near hashes'));
    const table = BlobTable.create(random);
    const hash = toHash(random.bytes(32));
    table.set(hash, row(5));
    for (let bit = 0; bit < 256; bit++) {
      const near = toHash(hash.slice());
      near[bit >> 3]! ^= 1 << (bit & 7);
      expect(table.sizeOf(near)).toBe(-1);
    }
    expect(table.sizeOf(toHash(new Uint8Array(32)))).toBe(-1);
  });

  test('the largest row comes back whole', () => {
    const table = BlobTable.create(seededRandom(1));
    const hash = toHash(new Uint8Array(32).fill(255));
    const largest = { size: 2 ** 48 - 1, segment: 2 ** 32 - 1, offset: 2 ** 32 - 1, large: true };
    table.set(hash, largest);
    expect(table.get(hash)).toEqual(largest);
  });

  test('the hash of zeros is a hash like others', () => {
    const table = BlobTable.create(seededRandom(1));
    const zeros = toHash(new Uint8Array(32));
    table.set(zeros, row(0));
    expect(table.get(zeros)).toEqual(row(0));
    expect(table.delete(zeros)).toBe(true);
    expect(table.get(zeros)).toBeUndefined();
  });

  const badRows: { name: string; row: BlobRow }[] = [
    { name: 'size of 49 bits', row: { ...row(0), size: 2 ** 48 } },
    { name: 'negative size', row: { ...row(0), size: -1 } },
    { name: 'segment of 33 bits', row: { ...row(0), segment: 2 ** 32 } },
    { name: 'offset of 33 bits', row: { ...row(0), offset: 2 ** 32 } },
    { name: 'fractional offset', row: { ...row(0), offset: 0.5 } },
  ];
  test.each(badRows)('asserts against a $name', ({ row }) => {
    const table = BlobTable.create(seededRandom(1));
    expect(() => table.set(toHash(new Uint8Array(32)), row)).toThrow('assertion');
    expect(table.count).toBe(0);
  });

  test('costs nothing empty, little when small, and gives memory back', () => {
    const random = seededRandom(testSeed('table memory'));
    const table = BlobTable.create(random);
    expect(table.byteLength).toBe(0);
    const hashes = Array.from({ length: 20_000 }, () => toHash(random.bytes(32)));
    for (const hash of hashes.slice(0, 10)) table.set(hash, row(1));
    expect(table.byteLength).toBeLessThanOrEqual(10 * 16 * slotBytes);
    for (const hash of hashes) table.set(hash, row(1));
    const full = table.byteLength;
    for (const hash of hashes) table.delete(hash);
    expect(table.byteLength).toBeLessThan(full);
    expect(table.byteLength).toBeLessThanOrEqual(shardCount * 16 * slotBytes);
  });

  test('a million blobs take at most 64 bytes each, and all are there', { timeout: 120_000 }, () => {
    const count = 1_000_000;
    const seed = testSeed('table of a million');
    const table = BlobTable.create(seededRandom(seed));
    // Hashes come again from the same seed, so that they need not be kept.
    let random = seededRandom(seed);
    for (let i = 0; i < count; i++) {
      table.set(toHash(random.bytes(32)), row(i));
      if (i >= 500_000 && i % 10_000 === 0) expect(table.byteLength / table.count).toBeLessThanOrEqual(64);
    }
    expect(table.count).toBe(count);
    expect(table.byteLength / count).toBeLessThanOrEqual(64);
    random = seededRandom(seed);
    let wrong = 0;
    for (let i = 0; i < count; i++) if (table.sizeOf(toHash(random.bytes(32))) !== i) wrong += 1;
    expect(wrong).toBe(0);
  });

  test('hashes that share their first or many of their last bits spread like others', () => {
    const random = seededRandom(testSeed('table with chosen hashes'));
    for (const chosen of ['first 12 bytes', 'last 4 bytes', 'bytes 24 to 28'] as const) {
      const table = BlobTable.create(random);
      for (let i = 0; i < 50_000; i++) {
        const hash = toHash(random.bytes(32));
        if (chosen === 'first 12 bytes') hash.fill(9, 0, 12);
        else if (chosen === 'last 4 bytes') hash.fill(9, 28, 32);
        else hash.fill(9, 24, 28);
        table.set(hash, row(1));
      }
      const sizes = Array.from({ length: shardCount }, (_, shard) => table.shardWords(shard).byteLength / slotBytes);
      // 49 are expected in a shard, with a deviation of 7.
      expect(Math.max(...sizes), chosen).toBeLessThan(160);
    }
  });

  test('drops rows that may go, one at a time, and no others', () => {
    const random = seededRandom(testSeed('table that drops rows'));
    const table = BlobTable.create(random);
    const hashes = hashesOfOneShard(random, table, 100, 'spread');
    for (const [size, hash] of hashes.entries()) table.set(hash, row(size));
    const shard = table.shardOf(hashes[0]!);
    expect(table.countIn(shard)).toBe(100);
    const stays = (hash: BlobHash) => table.sizeOf(hash) % 3 === 0;
    let dropped = 0;
    while (table.dropOne(shard, (hash) => !stays(hash))) dropped++;
    expect(dropped).toBe(66);
    expect(hashes.every((hash, size) => table.sizeOf(hash) === (size % 3 === 0 ? size : -1))).toBe(true);
    expect(table.dropOne((shard + 1) % shardCount, () => true)).toBe(false);
  });

  test('tells which rows point into a segment, and gives its slots away', () => {
    const random = seededRandom(testSeed('table rows by segment'));
    const table = BlobTable.create(random);
    const rows = new Map<string, BlobRow>();
    for (let i = 0; i < 3000; i++) {
      const hash = toHash(random.bytes(32));
      table.set(hash, { ...row(i), segment: i % 5 });
      rows.set(hashHex(hash), { ...row(i), segment: i % 5 });
    }
    const found: string[] = [];
    for (let shard = 0; shard < shardCount; shard++) {
      found.push(...table.hashesInto(shard, (segment) => segment === 2 || segment === 4).map(hashHex));
    }
    const want = [...rows].filter(([, { segment }]) => segment === 2 || segment === 4).map(([hex]) => hex);
    expect(found.sort()).toEqual(want.sort());
    const slots = decodeSlots(new Uint32Array(table.usedSlots().slice().buffer));
    expect(new Map(slots.map(({ hash, row }) => [hashHex(hash), row]))).toEqual(rows);
  });

  test('takes over the shards of a table with its secret, and no others', () => {
    const random = seededRandom(testSeed('table from shards'));
    const table = BlobTable.create(random);
    const oracle = new Map<string, { hash: BlobHash; row: BlobRow }>();
    for (const hash of hashesOfOneShard(random, table, 60, 'end')) {
      const row = randomRow(random);
      table.set(hash, row);
      oracle.set(hashHex(hash), { hash, row });
    }
    const filled = Array.from({ length: shardCount }, (_, shard) => shard).filter(
      (shard) => table.shardWords(shard)[0],
    );
    const shard = filled[0]!;
    const words = table.shardWords(shard);

    const same = new BlobTable(table.secret);
    expect(same.adoptShard((shard + 1) % shardCount, words)).toBe(false);
    const gap = words.slice();
    gap.fill(0, 0, slotBytes / 4);
    expect(same.adoptShard(shard, gap)).toBe(false);
    const full = words.slice(0, (20 * slotBytes) / 4);
    expect(same.adoptShard(shard, full)).toBe(false);
    expect(BlobTable.create(random).adoptShard(shard, words)).toBe(false);
    expect(same.byteLength).toBe(0);

    expect(same.adoptShard(shard, words)).toBe(true);
    expectSame(same, oracle, []);
    for (const { hash } of oracle.values()) expect(same.delete(hash)).toBe(true);
    expectSame(same, new Map(), []);
    expect(table.count).toBe(60);
  });
});
