import { describe, expect, it } from 'vitest';
import { ReadAhead, type ReadAheadParts } from '../../src/api/read-ahead.js';
import type { BlobHandle } from '../../src/base/blob-store.js';
import { ByteBudget } from '../../src/base/byte-budget.js';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { limits } from '../../src/base/limits.js';
import type { ByteRange } from '../../src/base/range.js';
import { freshBlob } from '../conformance/wire-blobs.js';
import { streamMemory } from '../support/stream-memory.js';

const { blockBytes, firstReadBytes, readBytesMax, unprovenReadBytesMax } = limits;
const blob = freshBlob(5 * 1024 * 1024 + 17);
const running = { aborted: false };

/** Of the blob's bytes, or of so many zeros. */
function watchedHandle(zeros?: number) {
  const ranges: ByteRange[] = [];
  const scratches: (Uint8Array | undefined)[] = [];
  const handle: BlobHandle = {
    digest: zeros === undefined ? blob.digest : { ...blob.digest, size: zeros },
    localPath: undefined,
    read: async (range, scratch) => {
      ranges.push(range);
      scratches.push(scratch);
      const bytes =
        zeros === undefined ? blob.bytes.subarray(range.start, range.end) : new Uint8Array(range.end - range.start);
      scratch?.set(bytes);
      return scratch?.subarray(0, bytes.length) ?? bytes;
    },
    close: async () => {},
  };
  return { handle, ranges, scratches };
}

function largest(ranges: readonly ByteRange[]): number {
  return Math.max(...ranges.map(({ start, end }) => end - start));
}

async function readAll(handle: BlobHandle, range: ByteRange, given: Partial<ReadAheadParts> = {}) {
  const blocks = new ReadAhead(handle, [range], running, { ...streamMemory(), ...given });
  const copies: Buffer[] = [];
  for (let block = await blocks.next(); block !== undefined; block = await blocks.next()) {
    // A turn, so that the read ahead is over before the piece is looked at.
    await new Promise((resolve) => setImmediate(resolve));
    copies.push(Buffer.from(block));
  }
  return { bytes: Buffer.concat(copies), blocks };
}

describe('ReadAhead', () => {
  it.each([
    { start: 0, end: blob.bytes.length },
    { start: 1, end: blob.bytes.length - 1 },
    { start: 65_535, end: 700_001 },
    { start: 70_000, end: 70_001 },
  ])('reads [$start, $end) in pieces that end where blocks do', async (range) => {
    const { handle, ranges } = watchedHandle();
    const { bytes } = await readAll(handle, range);
    expect(bytes.equals(blob.bytes.subarray(range.start, range.end))).toBe(true);
    expect(ranges.slice(0, -1).filter(({ end }) => end % blockBytes !== 0)).toEqual([]);
    expect(largest(ranges)).toBeLessThanOrEqual(readBytesMax);
  });

  it('recycles two buffers, and never the one that was handed out', async () => {
    const { handle, scratches } = watchedHandle();
    const { bytes } = await readAll(handle, { start: 0, end: blob.bytes.length }, { recycles: true });
    expect(bytes.equals(blob.bytes)).toBe(true);
    const large = scratches.filter((scratch) => scratch?.length === unprovenReadBytesMax);
    expect(large.length).toBeGreaterThan(2);
    expect(new Set(large.map((scratch) => scratch?.buffer)).size).toBeLessThanOrEqual(2);
  });

  it('grows only as the budget grants, and gives it back', async () => {
    const whole = { start: 0, end: blob.bytes.length };
    const refused = watchedHandle();
    await readAll(refused.handle, whole, { budget: new ByteBudget(0) });
    expect(largest(refused.ranges)).toBe(firstReadBytes);
    const granted = watchedHandle();
    const budget = new ByteBudget(limits.streamBudgetBytes);
    const { blocks } = await readAll(granted.handle, whole, { budget });
    expect(largest(granted.ranges)).toBe(unprovenReadBytesMax);
    expect(budget.takenBytes).toBe(2 * (unprovenReadBytesMax - firstReadBytes));
    await blocks.settle();
    expect(budget.takenBytes).toBe(0);
  });

  it('grows further for a reader that has taken much, also from the part of the budget that others do not get', async () => {
    const { handle, ranges } = watchedHandle(32 << 20);
    const budget = new ByteBudget(limits.streamBudgetBytes);
    budget.take(limits.unprovenBudgetBytes);
    await readAll(handle, { start: 0, end: handle.digest.size }, { budget, recycles: true });
    const early = ranges.filter(({ start }) => start < limits.provenReaderBytes);
    expect(largest(early)).toBe(firstReadBytes);
    expect(largest(ranges)).toBe(readBytesMax);
  });

  it('forgets what it read ahead for a reader that has stopped, and reads it again in small pieces', async () => {
    const { handle, ranges } = watchedHandle();
    const budget = new ByteBudget(limits.streamBudgetBytes);
    let pass = () => {};
    const clock: Clock = {
      ...systemClock,
      after(milliseconds, callback) {
        expect(milliseconds).toBe(limits.stalledPieceMilliseconds);
        pass = callback;
        return () => {
          pass = () => {};
        };
      },
    };
    const blocks = new ReadAhead(handle, [{ start: 0, end: blob.bytes.length }], running, { budget, clock });
    const taken: Uint8Array[] = [];
    for (let i = 0; i < 4; i++) taken.push((await blocks.next())!);
    const before = budget.takenBytes;
    const stalledAt = ranges.at(-1)!.start;
    pass();
    expect(budget.takenBytes).toBeLessThan(before);
    taken.push((await blocks.next())!);
    expect(ranges.at(-2)).toEqual({ start: stalledAt, end: stalledAt + firstReadBytes });
    for (let piece = await blocks.next(); piece !== undefined; piece = await blocks.next()) taken.push(piece);
    expect(Buffer.concat(taken).equals(blob.bytes)).toBe(true);
    await blocks.settle();
    expect(budget.takenBytes).toBe(0);
  });
});
