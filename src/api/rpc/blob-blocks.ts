// The bytes of an open blob as blocks, for a call that may be canceled at any time.

import type { BlobHandle } from '../../base/blob-store.js';
import { CairnError } from '../../base/errors.js';
import type { ByteRange } from '../../base/range.js';
import { ReadAhead, type ReadAheadParts } from '../read-ahead.js';

/**
 * Owns the handle: it is closed when the blocks end, fail or are abandoned, and at once when the signal aborts, also
 * while nobody asks for the next block.
 */
export async function* blobBlocks(
  handle: BlobHandle,
  range: ByteRange,
  signal: AbortSignal,
  { budget, clock }: ReadAheadParts,
): AsyncGenerator<Uint8Array, void, undefined> {
  const blocks = new ReadAhead(handle, [range], signal, { budget, clock });
  let closing: Promise<void> | undefined;
  function close(): Promise<void> {
    closing ??= blocks.settle().then(() => handle.close());
    closing.catch(() => {});
    return closing;
  }

  signal.addEventListener('abort', close, { once: true });
  try {
    for (let block = await blocks.next(); block !== undefined && !signal.aborted; block = await blocks.next())
      yield block;
    if (signal.aborted) throw new CairnError('canceled', 'the call was canceled', { cause: signal.reason });
  } finally {
    signal.removeEventListener('abort', close);
    await close();
  }
}
