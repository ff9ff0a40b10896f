import { describe, expect, it } from 'vitest';
import { WireReader, WireWriter } from '../../src/tree/canonical-wire.js';

const bytesTag = 0x0a;
const numberTag = 0x10;

describe('what WireWriter writes, WireReader reads', () => {
  it('of any length, also where the buffer has to grow', () => {
    for (const length of [0, 1, 127, 128, 16_383, 16_384, ...Array.from({ length: 40 }, (_, i) => 8192 - 30 + i)]) {
      const writer = new WireWriter();
      const value = Uint8Array.from({ length }, (_, i) => i);
      // A message in a message, to move what was moved before.
      writer.message(bytesTag, () => writer.bytes(bytesTag, value));
      const message = writer.take();
      const inner = new WireReader(message).message(bytesTag)!;
      expect(Buffer.compare(inner.bytes(bytesTag)!, value), String(length)).toBe(0);
      inner.finish();
    }
  });

  it.each([1, 127, 128, 300, 2 ** 31, 2 ** 32, 2 ** 49, 2 ** 53 - 1])('the number %d', (value) => {
    const writer = new WireWriter();
    writer.number(numberTag, value);
    const reader = new WireReader(writer.take());
    expect(reader.number(numberTag)).toBe(value);
    reader.finish();
  });

  it('nothing for zero', () => {
    const writer = new WireWriter();
    writer.number(numberTag, 0);
    expect(writer.take().length).toBe(0);
    expect(new WireReader(new Uint8Array(0)).number(numberTag)).toBe(0);
  });
});

describe('WireReader', () => {
  it.each([
    { what: 'a number of 2⁵³', hex: '108080808080808010' },
    { what: 'a number of ten bytes', hex: '10ffffffffffffffffff01' },
    { what: 'a number without an end', hex: '1080' },
    { what: 'no number', hex: '10' },
    { what: 'a zero', hex: '1000' },
    { what: 'a zero in two bytes', hex: '108000' },
  ])('refuses $what', ({ hex }) => {
    const act = () => new WireReader(Buffer.from(hex, 'hex')).number(numberTag);
    expect(act).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });
});
