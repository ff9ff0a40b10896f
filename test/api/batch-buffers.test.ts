import { describe, expect, it } from 'vitest';
import { BatchBuffers } from '../../src/api/batch-buffers.js';
import { ByteBudget } from '../../src/base/byte-budget.js';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { limits } from '../../src/base/limits.js';
import { streamMemory } from '../support/stream-memory.js';

const { laneBatchBytesMin: first, laneBatchBytesMax: largest, laneBatchBytesBesideMax: largestBeside } = limits;

/** The lengths of all batches of a blob, and what they held. */
function batchesOf(size: number, budget: ByteBudget): { lengths: number[]; bytes: Buffer; batches: BatchBuffers } {
  const source = Buffer.from(Array.from({ length: size }, (_, at) => at & 0xff));
  const batches = new BatchBuffers(size, streamMemory({ budget }));
  const taken: Buffer[] = [];
  let rest: Uint8Array | undefined = source;
  while (rest !== undefined) {
    rest = batches.add(rest);
    const batch = batches.take();
    if (batch !== undefined) taken.push(Buffer.from(batch));
    batches.release();
  }
  return { lengths: taken.map(({ length }) => length), bytes: Buffer.concat(taken), batches };
}

describe('BatchBuffers', () => {
  it('hold all bytes, in batches that double up to the largest', () => {
    const budget = new ByteBudget(limits.streamBudgetBytes);
    const { lengths, bytes, batches } = batchesOf(4_000_003, budget);
    expect(lengths.slice(0, 6)).toEqual([first, 2 * first, 4 * first, 8 * first, 16 * first, largest]);
    expect(bytes.every((byte, at) => byte === (at & 0xff))).toBe(true);
    expect(bytes).toHaveLength(4_000_003);
    expect(budget.takenBytes).toBe(2 * (largest - first));
    batches.close();
    expect(budget.takenBytes).toBe(0);
  });

  it('stay smaller beside others, and shrink when others come', () => {
    const budget = new ByteBudget(limits.streamBudgetBytes);
    const { batches: other } = batchesOf(3 * largest, budget);
    const { lengths, batches } = batchesOf(4 * largest, budget);
    expect(Math.max(...lengths)).toBe(largestBeside);
    other.add(Buffer.alloc(other.room));
    other.take();
    expect(other.room).toBeLessThanOrEqual(largestBeside);
    other.close();
    batches.close();
    batches.close();
    const alone = batchesOf(4 * largest, budget);
    expect(Math.max(...alone.lengths)).toBe(largest);
    alone.batches.close();
    expect(budget.takenBytes).toBe(0);
  });

  it('stay small when the budget grants nothing', () => {
    const { lengths } = batchesOf(5 * first + 1, new ByteBudget(0));
    expect(lengths).toEqual([first, first, first, first, first, 1]);
  });

  it('take no more memory than the blob has bytes', () => {
    const { lengths, batches } = batchesOf(10, new ByteBudget(0));
    expect(lengths).toEqual([10]);
    expect(batches.room).toBe(0);
    expect(batches.isFull).toBe(false);
  });

  it('do not write into what is lent', () => {
    const batches = new BatchBuffers(4 * first, streamMemory({ budget: new ByteBudget(0) }));
    batches.add(Buffer.alloc(first, 1));
    const lent = batches.take()!;
    batches.add(Buffer.alloc(first, 2));
    expect(lent.every((byte) => byte === 1)).toBe(true);
  });

  it('are given up while nothing comes', () => {
    const budget = new ByteBudget(limits.streamBudgetBytes);
    let pass = () => {};
    const clock: Clock = {
      ...systemClock,
      after(_milliseconds, callback) {
        pass = callback;
        return () => {};
      },
    };
    const batches = new BatchBuffers(100 * first, { budget, clock });
    for (let round = 0; round < 3; round++) {
      batches.add(Buffer.alloc(batches.room));
      batches.take();
      batches.release();
    }
    expect(batches.room).toBeGreaterThan(first);
    expect(budget.takenBytes).toBeGreaterThan(0);
    pass();
    expect(batches.room).toBe(first);
    expect(budget.takenBytes).toBe(0);
    batches.add(Buffer.from('more'));
    pass();
    expect(Buffer.from(batches.take()!).toString()).toBe('more');
  });
});
