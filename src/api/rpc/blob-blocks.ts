// The bytes of an open blob as blocks, the next of which is being read while one is on its way. Blocks start small and
// double, so that a caller who takes nothing costs little.

import type { BlobHandle } from '../../base/blob-store.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { ByteRange } from '../../base/range.js';

/**
 * Owns the handle: it is closed when the blocks end, fail or are abandoned, and at once when the signal aborts, also
 * while nobody asks for the next block.
 */
export async function* blobBlocks(
  handle: BlobHandle,
  { start, end }: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let position = start;
  let blockBytes: number = limits.firstReadBytes;
  let ahead: Promise<Uint8Array> | undefined;

  function readAhead(): Promise<Uint8Array> | undefined {
    if (position === end) return undefined;
    const block = handle.read({ start: position, end: Math.min(position + blockBytes, end) });
    // Its failure is thrown where it is awaited; until then it must not count as unhandled.
    block.catch(() => {});
    position = Math.min(position + blockBytes, end);
    blockBytes = Math.min(2 * blockBytes, limits.readBytesMax);
    return block;
  }

  let closing: Promise<void> | undefined;
  function close(): Promise<void> {
    closing ??= Promise.allSettled([ahead]).then(() => handle.close());
    closing.catch(() => {});
    return closing;
  }

  signal.addEventListener('abort', close, { once: true });
  try {
    if (!signal.aborted) ahead = readAhead();
    while (ahead !== undefined) {
      const block: Uint8Array = await ahead;
      if (signal.aborted) break;
      ahead = readAhead();
      yield block;
    }
    if (signal.aborted) throw new CairnError('canceled', 'the call was canceled', { cause: signal.reason });
  } finally {
    signal.removeEventListener('abort', close);
    await close();
  }
}
