import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import {
  checkNewRecord,
  checksumOfSalt,
  decodeRecordHeader,
  encodeRecordHead,
  headIsValid,
  type NewRecord,
  recordBytes,
  recordHeadBytes,
} from '../../src/log/record.js';
import { checksumTable } from '../support/checksum-table.js';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const anyRecord = fc.record({
  type: fc.integer({ min: 1, max: 255 }),
  version: fc.integer({ min: 0, max: 255 }),
  meta: bytes(limits.recordMetaBytesMax),
  payload: fc.oneof(
    bytes(100),
    fc.nat(3 * limits.blockBytes).map((n) => new Uint8Array(n).fill(n)),
  ),
});
const anyOffset = fc.maxSafeNat();
const anySalt = fc.uint8Array({ minLength: 16, maxLength: 16 });

function headOf(record: NewRecord, salt: Uint8Array, offset: number): Uint8Array {
  const head = new Uint8Array(recordHeadBytes(record.meta.length, record.payload.length));
  encodeRecordHead(new DataView(head.buffer), 0, record, checksumOfSalt(salt), offset);
  return head;
}

describe('the head of a record', () => {
  it('comes back as it was, and is valid at its place', () => {
    fc.assert(
      fc.property(anyRecord, anySalt, anyOffset, (record, salt, offset) => {
        const head = headOf(record, salt, offset);
        const { type, version, meta, payload } = record;
        const lengths = { metaBytes: meta.length, payloadBytes: payload.length };
        expect(decodeRecordHeader(head, 0)).toEqual({ type, version, ...lengths });
        expect(headIsValid(head, checksumOfSalt(salt), offset)).toBe(true);
        expect(head.subarray(16, 16 + meta.length)).toEqual(meta);
        expect(head.subarray(16 + meta.length)).toEqual(checksumTable(payload));
        const length = recordBytes(meta.length, payload.length);
        expect(length % 8).toBe(0);
        expect(length - head.length - payload.length).toBeLessThan(8);
      }),
    );
  });

  it('is valid at no other offset, in no other segment and with no other bit', () => {
    fc.assert(
      fc.property(anyRecord, anySalt, anyOffset, fc.nat(), (record, salt, offset, n) => {
        const head = headOf(record, salt, offset);
        const mark = checksumOfSalt(salt);
        expect(headIsValid(head, mark, offset + 8)).toBe(false);
        expect(headIsValid(head, mark, (offset + 2 ** 32) % 2 ** 53)).toBe(false);
        const otherSalt = Uint8Array.from(salt, (byte, i) => (i === n % 16 ? byte ^ 1 : byte));
        expect(headIsValid(head, checksumOfSalt(otherSalt), offset)).toBe(false);
        head[n % head.length]! ^= 1 << (n % 8);
        expect(headIsValid(head, mark, offset)).toBe(false);
      }),
    );
  });

  it('has a known shape', () => {
    const record = { type: 3, version: 7, meta: Uint8Array.of(1, 2, 3), payload: Uint8Array.of(9) };
    const head = headOf(record, new Uint8Array(16), 4096);
    // Computed with another CRC-32.
    expect(Buffer.from(head).toString('hex')).toBe('ec027eeb1eca030703000000010000000102032957deab');
    expect(head).toHaveLength(23);
    expect(recordBytes(3, 1)).toBe(24);
  });

  it('is not seen in arbitrary bytes', () => {
    fc.assert(
      fc.property(bytes(200), fc.nat(220), anyOffset, (noise, at, offset) => {
        const header = decodeRecordHeader(noise, at);
        if (header === undefined) return;
        expect(header.metaBytes).toBeLessThanOrEqual(limits.recordMetaBytesMax);
        expect(header.payloadBytes).toBeLessThanOrEqual(limits.recordPayloadBytesMax);
        expect(headIsValid(noise.subarray(at), 1, offset)).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a new record', () => {
  it('must fit the log', () => {
    const fits = { type: 1, version: 1, meta: new Uint8Array(limits.recordMetaBytesMax), payload: new Uint8Array(0) };
    checkNewRecord(fits);
    const tooLarge = { ...fits, meta: new Uint8Array(limits.recordMetaBytesMax + 1) };
    expect(() => checkNewRecord(tooLarge)).toThrow(expect.objectContaining({ code: 'too_large' }));
    expect(() => checkNewRecord({ ...fits, type: 0 })).toThrow('assertion');
  });
});
