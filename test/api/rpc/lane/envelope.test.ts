import { describe, expect, it } from 'vitest';
import { EnvelopeReader, encodeEnvelope } from '../../../../src/api/rpc/lane/envelope.js';
import { limits } from '../../../../src/base/limits.js';
import { randomSplit, seededRandom, testSeed } from '../../../support/random.js';

/** All messages that can be read now, runs joined. */
function readAll(reader: EnvelopeReader, messages: { flags: number; runs: Uint8Array[] }[]): void {
  for (;;) {
    if (reader.remaining > 0) {
      const run = reader.takeRun(reader.remaining);
      if (run === undefined) return;
      messages.at(-1)!.runs.push(run);
    } else {
      if (!reader.readHead()) return;
      messages.push({ flags: reader.flags, runs: [] });
    }
  }
}

describe('EnvelopeReader', () => {
  it('reads the same messages however their bytes are split', () => {
    const random = seededRandom(testSeed('envelopes'));
    for (let round = 0; round < 300; round++) {
      const want = Array.from({ length: random.below(6) }, () => ({
        flags: random.below(256),
        message: random.bytes(random.pick([0, 1, 4, 5, 6, 300])),
      }));
      const bytes = Buffer.concat(want.map(({ flags, message }) => encodeEnvelope(flags, message)));
      const reader = new EnvelopeReader();
      const got: { flags: number; runs: Uint8Array[] }[] = [];
      for (const piece of randomSplit(random, bytes, random.pick([1, 3, 7, 100, 2000]))) {
        reader.push(piece);
        readAll(reader, got);
      }
      expect(got.map(({ flags, runs }) => ({ flags, message: new Uint8Array(Buffer.concat(runs)) }))).toEqual(want);
      expect(reader.isInside).toBe(false);
      expect(reader.heldBytes).toBe(0);
    }
  });

  it('hands out the bytes that came, not copies of them', () => {
    const piece = encodeEnvelope(0, new Uint8Array(100));
    const reader = new EnvelopeReader();
    reader.push(piece);
    expect(reader.readHead()).toBe(true);
    expect(reader.takeRun(60)?.buffer).toBe(piece.buffer);
    expect(reader.takeRun(60)).toHaveLength(40);
  });

  it.each([1, 4, 5, 9])('knows that %i bytes of ten end inside an envelope', (count) => {
    const reader = new EnvelopeReader();
    reader.push(encodeEnvelope(0, new Uint8Array(5)).subarray(0, count));
    const got: { flags: number; runs: Uint8Array[] }[] = [];
    readAll(reader, got);
    expect(reader.isInside).toBe(true);
  });

  it('refuses a message that is too large by its head alone', () => {
    const reader = new EnvelopeReader();
    const head = Buffer.alloc(5);
    head.writeUInt32BE(limits.requestMessageBytesMax + 1, 1);
    reader.push(head);
    expect(() => reader.readHead()).toThrow('larger than');
  });
});
