// Nodes of stored trees for one call: no read begins after the call was given up, and after each node everybody else has
// a turn of the event loop, however fast the store answers.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BlobStore } from '../base/blob-store.js';
import { CairnError } from '../base/errors.js';
import { type NodeSource, nodesOf } from '../tree/node-source.js';

/** Fails with `canceled` when the signal has aborted. */
export function callNodes(store: BlobStore, signal: AbortSignal): NodeSource {
  const read = nodesOf(store);
  return async (hash) => {
    await nextTurn();
    if (signal.aborted) throw new CairnError('canceled', 'the call was canceled', { cause: signal.reason });
    return read(hash);
  };
}
