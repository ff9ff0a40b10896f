import { crc32 as nodeCrc32 } from 'node:zlib';
import { expect, it } from 'vitest';
import { type Crc32, crc32, nativeCrc32 } from '../../../src/base/node/crc32.js';
import { seededRandom, testSeed } from '../../support/random.js';
import { describeWith } from '../../support/shared.js';

const random = seededRandom(testSeed('crc32'));

function suite(checksum: Crc32): void {
  it('gives the known answer', () => {
    expect(checksum(Buffer.from('123456789'))).toBe(0xcbf43926);
  });

  it.each([0, 1, 63, 64, 65, 127, 4096, 65_536, 100_003])(
    'of %i bytes is that of zlib, in one piece and in two',
    (size) => {
      const bytes = random.bytes(size);
      const want = nodeCrc32(bytes);
      expect(checksum(bytes)).toBe(want);
      const cut = random.below(size + 1);
      expect(checksum(bytes.subarray(cut), checksum(bytes.subarray(0, cut)))).toBe(want);
    },
  );

  it('of nothing more is what it was', () => {
    expect(checksum(new Uint8Array(0), 77)).toBe(77);
  });

  it('reads shared memory', () => {
    const bytes = random.bytes(1000);
    const shared = new Uint8Array(new SharedArrayBuffer(1000));
    shared.set(bytes);
    expect(checksum(shared)).toBe(nodeCrc32(bytes));
  });
}

describeWith('crc32', 'zlib', crc32, suite);
describeWith('native crc32', '@node-rs/crc32', nativeCrc32, suite);
