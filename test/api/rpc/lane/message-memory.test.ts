// Messages from runs, and the memory they leave behind.

import { describe, expect, it } from 'vitest';
import { MessageMemory } from '../../../../src/api/rpc/lane/message-memory.js';
import { limits } from '../../../../src/base/limits.js';

const { laneSpareBytesMin, laneSpareBytesMax, laneSparesBytesMax } = limits;
const runOf = (length: number, byte: number) => new Uint8Array(length).fill(byte);

describe('MessageMemory', () => {
  it.each([0, 2, laneSpareBytesMin - 1, laneSpareBytesMin, laneSpareBytesMax, laneSpareBytesMax + 1])(
    'puts %i bytes together',
    (length) => {
      const half = Math.floor(length / 2);
      const message = new MessageMemory().join([runOf(half, 1), runOf(length - half, 2)]);
      expect(message.length).toBe(length);
      expect(message.every((byte, at) => byte === (at < half ? 1 : 2))).toBe(true);
    },
  );

  it('uses memory again that was released, and no other', () => {
    const memory = new MessageMemory();
    const large = () => memory.join([runOf(laneSpareBytesMin, 1)]);
    const [first, second] = [large(), large()];
    expect(second.buffer).not.toBe(first.buffer);
    memory.release(first);
    expect(large().buffer).toBe(first.buffer);
    expect(large().buffer).not.toBe(first.buffer);
    const small = memory.join([runOf(10, 1)]);
    memory.release(small);
    expect(large().buffer).not.toBe(small.buffer);
  });

  it('takes less than twice what a message needs, and uses it again for one of about that length', () => {
    const memory = new MessageMemory();
    const first = memory.join([runOf(300_000, 1)]);
    expect(first.buffer.byteLength).toBeLessThan(600_000);
    memory.release(first);
    expect(memory.join([runOf(2_000_000, 1)]).buffer).not.toBe(first.buffer);
    expect(memory.join([runOf(310_000, 1)]).buffer).toBe(first.buffer);
  });

  it('keeps only so much, and of that what came last', () => {
    const memory = new MessageMemory();
    const kept = laneSparesBytesMax / laneSpareBytesMax;
    const messages = Array.from({ length: kept + 2 }, () => memory.join([runOf(laneSpareBytesMax, 1)]));
    for (const message of messages) memory.release(message);
    const again = new Set(messages.map(() => memory.join([runOf(laneSpareBytesMax, 1)]).buffer));
    expect(messages.map(({ buffer }) => again.has(buffer))).toEqual(messages.map((_, index) => index >= 2));
  });
});
