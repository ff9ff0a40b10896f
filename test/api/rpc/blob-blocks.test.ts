import { describe, expect, it } from 'vitest';
import { blobBlocks } from '../../../src/api/rpc/blob-blocks.js';
import { CairnError } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import type { ByteRange } from '../../../src/base/range.js';
import { collect, freshBlob } from '../../conformance/wire-blobs.js';
import { streamMemory } from '../../support/stream-memory.js';

function heldBlob(size: number, read: (range: ByteRange) => Promise<void> = async () => {}) {
  const blob = freshBlob(size);
  const held = { reads: [] as ByteRange[], closedCount: 0, reading: 0 };
  const handle = {
    digest: blob.digest,
    localPath: undefined,
    async read(range: ByteRange) {
      expect(held.closedCount).toBe(0);
      held.reads.push(range);
      held.reading++;
      await read(range).finally(() => held.reading--);
      return blob.bytes.slice(range.start, range.end);
    },
    async close() {
      expect(held.reading).toBe(0);
      held.closedCount++;
    },
  };
  return { blob, held, handle };
}

const never = new AbortController().signal;
const settled = () => new Promise((resolve) => setTimeout(resolve, 10));

describe('blobBlocks', () => {
  it.each([0, 1, limits.firstReadBytes, 5_000_000])(
    'yields %i bytes in reads that double up to the limit',
    async (size) => {
      const { blob, held, handle } = heldBlob(size);
      const blocks = await collect(blobBlocks(handle, { start: 0, end: size }, never, streamMemory()));
      expect(Buffer.concat(blocks).equals(blob.bytes)).toBe(true);
      expect(held.closedCount).toBe(1);
      for (const { start, end } of held.reads) expect(end - start).toBeLessThanOrEqual(limits.readBytesMax);
    },
  );

  it('reads one block ahead and no more', async () => {
    const { held, handle } = heldBlob(5_000_000);
    const blocks = blobBlocks(handle, { start: 0, end: 5_000_000 }, never, streamMemory());
    await blocks.next();
    await settled();
    expect(held.reads).toHaveLength(2);
    await blocks.return();
    expect(held.closedCount).toBe(1);
  });

  it('closes at once when the signal aborts while nobody asks for more', async () => {
    const abort = new AbortController();
    const { held, handle } = heldBlob(5_000_000);
    const blocks = blobBlocks(handle, { start: 0, end: 5_000_000 }, abort.signal, streamMemory());
    await blocks.next();
    abort.abort();
    await settled();
    expect(held.closedCount).toBe(1);
    await expect(blocks.next()).rejects.toMatchObject({ code: 'canceled' });
    expect(held.closedCount).toBe(1);
  });

  it('waits for the read under way before it closes', async () => {
    const abort = new AbortController();
    let finishRead = () => {};
    const { held, handle } = heldBlob(
      100,
      () =>
        new Promise<void>((resolve) => {
          finishRead = resolve;
        }),
    );
    const block = blobBlocks(handle, { start: 0, end: 100 }, abort.signal, streamMemory()).next();
    abort.abort();
    await settled();
    expect(held.closedCount).toBe(0);
    finishRead();
    await expect(block).rejects.toMatchObject({ code: 'canceled' });
    expect(held.closedCount).toBe(1);
  });

  it('closes when it was canceled before it began', async () => {
    const { held, handle } = heldBlob(100);
    await expect(
      blobBlocks(handle, { start: 0, end: 100 }, AbortSignal.abort(), streamMemory()).next(),
    ).rejects.toMatchObject({
      code: 'canceled',
    });
    expect(held).toMatchObject({ reads: [], closedCount: 1 });
  });

  it('throws the failure of a block where that block would come, and closes', async () => {
    const { held, handle } = heldBlob(200_000, async ({ start }) => {
      if (start > 0) throw new CairnError('corrupt', 'bad block');
    });
    const blocks = blobBlocks(handle, { start: 0, end: 200_000 }, never, streamMemory());
    expect((await blocks.next()).value).toHaveLength(limits.firstReadBytes);
    await settled();
    await expect(blocks.next()).rejects.toMatchObject({ code: 'corrupt' });
    expect(held.closedCount).toBe(1);
  });
});
