// Metadata that another thread keeps, as it is asked over a link. A watch hands over one batch for each time it is asked, so a
// slow watcher holds up nobody.

import { CairnError } from '../base/errors.js';
import type { KeyRange, KvStore, RangeOptions, ReadOptions, Txn, WatchBatch, WatchOptions } from '../meta/kv.js';
import type { Handlers, ThreadLink } from './thread-link.js';

interface OpenWatch {
  readonly batches: AsyncIterator<WatchBatch>;
  readonly end: AbortController;
}

/** Answers for the store. */
export function kvHandlers(kv: KvStore): Handlers {
  const watches = new Map<number, OpenWatch>();
  let nextId = 0;
  return {
    get: ({ key, options }: { key: Uint8Array; options: ReadOptions }) => kv.get(key, options),
    range: ({ range, options }: { range: KeyRange; options: RangeOptions }) => kv.range(range, options),
    count: ({ range, options }: { range: KeyRange; options: ReadOptions }) => kv.count(range, options),
    txn: (txn: Txn) => kv.txn(txn),
    compact: (revision: number) => kv.compact(revision),
    status: () => kv.status(),
    watchOpen({ range, from }: { range: KeyRange; from: number }) {
      const end = new AbortController();
      const batches = kv.watch(range, { from, signal: end.signal })[Symbol.asyncIterator]();
      watches.set(nextId, { batches, end });
      return nextId++;
    },
    watchNext: async (id: number) => (await watches.get(id)!.batches.next()).value,
    watchClose(id: number) {
      watches.get(id)?.end.abort();
      watches.delete(id);
    },
  };
}

/** The store as the other thread knows it. Closing it is the other's own affair. */
export function linkedKv(link: ThreadLink): Omit<KvStore, 'close'> {
  return {
    get: (key, options = {}) => link.ask('get', { key, options }),
    range: (range, options = {}) => link.ask('range', { range, options }),
    count: (range, options = {}) => link.ask('count', { range, options }),
    txn: (txn) => link.ask('txn', txn),
    compact: (revision) => link.ask('compact', revision),
    status: () => link.ask('status', undefined),
    watch: (range, options) => watch(link, range, options),
  };
}

async function* watch(
  link: ThreadLink,
  range: KeyRange,
  { from, signal }: WatchOptions,
): AsyncGenerator<WatchBatch, never> {
  refuseCanceled(signal);
  const id = await link.ask<number>('watchOpen', { range, from });
  // The other thread then ends the watch, and with it the answer that is waited for.
  const close = () => link.tell('watchClose', id);
  signal?.addEventListener('abort', close);
  try {
    for (;;) {
      refuseCanceled(signal);
      yield await link.ask<WatchBatch>('watchNext', id);
    }
  } finally {
    signal?.removeEventListener('abort', close);
    close();
  }
}

function refuseCanceled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CairnError('canceled', 'the watch was canceled');
}
