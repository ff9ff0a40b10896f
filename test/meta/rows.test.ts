// The bytes of docs/FORMATS.md, and the order of keys.

import { describe, expect, it } from 'vitest';
import { errorCode } from '../../src/base/errors.js';
import { compareKeys, nextKey, textKey } from '../../src/meta/keys.js';
import {
  changeKey,
  decodeHead,
  decodeVersion,
  encodeChange,
  encodeHead,
  encodeState,
  encodeVersion,
  headBounds,
  headKey,
  keyOfVersion,
  revisionOfChange,
  stateKey,
  versionBounds,
  versionKey,
  versionsUpTo,
} from '../../src/meta/rows.js';
import { seededRandom, testRounds, testSeed } from '../support/random.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('bytes', () => {
  it('are those of the format', () => {
    const key = Uint8Array.of(0x61, 0, 0x62);
    expect(hex(headKey(key))).toBe('68610062');
    expect(hex(versionKey(key, 2))).toBe('766100ff620000fffffffffffffffd');
    expect(hex(changeKey(258, 3))).toBe('63000000000000010200000003');
    expect(hex(encodeHead(headKey(key), { createRevision: 1, revision: 2, version: 3 }))).toMatch(
      /^0100010000000000000002000000000000000300000000000000[0-9a-f]{8}$/,
    );
    const deletion = { deleted: true, createRevision: 0, version: 0, value: new Uint8Array(0) };
    expect(hex(encodeVersion(versionKey(key, 2), deletion))).toMatch(/^0101(00){24}[0-9a-f]{8}$/);
    const change = { deleted: false, previous: 7, key };
    expect(hex(encodeChange(changeKey(258, 3), change))).toMatch(/^01000700000000000000(00){16}610062[0-9a-f]{8}$/);
    expect(hex(encodeState({ revision: 5, compacted: 4, appliedIndex: 9 }))).toBe(
      // The checksum as another implementation of CRC-32 has it, over `m/state` and the bytes before.
      '0100050000000000000004000000000000000900000000000000bc83d6fe',
    );
    expect(hex(stateKey)).toBe(hex(textKey('m/state')));
  });

  it('of another key, of another format, or cut, are corrupt', () => {
    const row = encodeHead(headKey(textKey('a')), { createRevision: 1, revision: 2, version: 3 });
    const cases: [Uint8Array, Uint8Array][] = [
      [headKey(textKey('b')), row],
      [headKey(textKey('a')), row.subarray(1)],
      [headKey(textKey('a')), row.subarray(0, 3)],
    ];
    for (const [key, bytes] of cases) {
      let code = 'none';
      try {
        decodeHead(key, bytes);
      } catch (error) {
        code = errorCode(error);
      }
      expect(code).toBe('corrupt');
    }
  });

  it('with any bit changed are corrupt', () => {
    const random = seededRandom(testSeed('damaged rows'));
    for (let i = 0; i < 500 * testRounds(); i++) {
      const key = versionKey(random.bytes(random.between(1, 5)), random.below(1000));
      const row = encodeVersion(key, { deleted: false, createRevision: 3, version: 1, value: random.bytes(8) });
      const damaged = Uint8Array.from(row);
      damaged[random.below(damaged.length)]! ^= 1 << random.below(8);
      expect(() => decodeVersion(key, damaged)).toThrow(expect.objectContaining({ code: 'corrupt' }));
    }
  });
});

describe('order', () => {
  it('of versions is that of keys, and then the newest first; bounds hold what they say', () => {
    const random = seededRandom(testSeed('order of versions'));
    const anyKey = () => random.bytes(random.between(1, 4)).map((byte) => (random.chance(0.7) ? byte % 3 : byte));
    for (let i = 0; i < 2000 * testRounds(); i++) {
      const [a, b] = [anyKey(), anyKey()];
      const [ra, rb] = [random.between(1, 5), random.between(1, 5)];
      const want = compareKeys(a, b) || rb - ra;
      expect(Math.sign(compareKeys(versionKey(a, ra), versionKey(b, rb)))).toBe(Math.sign(want));
      expect(keyOfVersion(versionKey(a, ra))).toEqual({ key: a, revision: ra });
      const isWithin = (row: Uint8Array, { gte, lt }: { gte: Uint8Array; lt: Uint8Array }) =>
        compareKeys(row, gte) >= 0 && compareKeys(row, lt) < 0;
      const end = random.chance(0.3) ? undefined : nextKey(anyKey());
      const isInside = compareKeys(a, b) >= 0 && (end === undefined || compareKeys(a, end) < 0);
      expect(isWithin(versionKey(a, ra), versionBounds({ start: b, end }))).toBe(isInside);
      expect(isWithin(headKey(a), headBounds({ start: b, end }))).toBe(isInside);
      expect(isWithin(versionKey(a, ra), versionsUpTo(b, rb))).toBe(compareKeys(a, b) === 0 && ra <= rb);
      expect(revisionOfChange(changeKey(ra, rb))).toBe(ra);
    }
  });
});
