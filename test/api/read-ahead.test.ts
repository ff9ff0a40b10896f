import { describe, expect, it } from 'vitest';
import { ReadAhead, type ReadAheadOptions } from '../../src/api/read-ahead.js';
import type { BlobHandle } from '../../src/base/blob-store.js';
import { ByteBudget } from '../../src/base/byte-budget.js';
import { limits } from '../../src/base/limits.js';
import type { ByteRange } from '../../src/base/range.js';
import { freshBlob } from '../conformance/wire-blobs.js';

const { blockBytes, firstReadBytes, readBytesMax } = limits;
const blob = freshBlob(5 * 1024 * 1024 + 17);
const running = { aborted: false };

function watchedHandle() {
  const ranges: ByteRange[] = [];
  const scratches: (Uint8Array | undefined)[] = [];
  const handle: BlobHandle = {
    digest: blob.digest,
    localPath: undefined,
    read: async (range, scratch) => {
      ranges.push(range);
      scratches.push(scratch);
      const bytes = blob.bytes.subarray(range.start, range.end);
      scratch?.set(bytes);
      return scratch?.subarray(0, bytes.length) ?? bytes;
    },
    close: async () => {},
  };
  return { handle, ranges, scratches };
}

async function readAll(handle: BlobHandle, range: ByteRange, options?: ReadAheadOptions) {
  const blocks = new ReadAhead(handle, [range], running, options);
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
    expect(Math.max(...ranges.map(({ start, end }) => end - start))).toBeLessThanOrEqual(readBytesMax);
  });

  it('recycles two buffers, and never the one that was handed out', async () => {
    const { handle, scratches } = watchedHandle();
    const { bytes } = await readAll(handle, { start: 0, end: blob.bytes.length }, { recycles: true });
    expect(bytes.equals(blob.bytes)).toBe(true);
    const largest = scratches.filter((scratch) => scratch?.length === readBytesMax);
    expect(new Set(largest.map((scratch) => scratch?.buffer)).size).toBeLessThanOrEqual(2);
  });

  it('grows only as the budget grants, and gives it back', async () => {
    const whole = { start: 0, end: blob.bytes.length };
    const refused = watchedHandle();
    await readAll(refused.handle, whole, { budget: new ByteBudget(0) });
    expect(Math.max(...refused.ranges.map(({ start, end }) => end - start))).toBe(firstReadBytes);
    const granted = watchedHandle();
    const budget = new ByteBudget(limits.streamBudgetBytes);
    const { blocks } = await readAll(granted.handle, whole, { budget });
    expect(Math.max(...granted.ranges.map(({ start, end }) => end - start))).toBe(readBytesMax);
    expect(budget.takenBytes).toBe(2 * (readBytesMax - firstReadBytes));
    await blocks.settle();
    expect(budget.takenBytes).toBe(0);
  });
});
