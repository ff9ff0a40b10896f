// A watch of a state on this machine: reads the changes in order, and when there are none waits for more. It holds no queue,
// so a slow watcher costs nothing; one so slow that compaction overtakes it fails with `out_of_range`.

import { CairnError } from '../base/errors.js';
import { spanOf } from './keys.js';
import type { KeyRange, WatchBatch, WatchOptions } from './kv.js';
import type { KvState } from './kv-state.js';

export async function* watchState(
  state: KvState,
  range: KeyRange,
  { from, signal }: WatchOptions,
): AsyncGenerator<WatchBatch, never> {
  const span = spanOf(range);
  let wake = () => {};
  const onEvent = () => wake();
  const stopListening = state.onChange(onEvent);
  signal?.addEventListener('abort', onEvent);
  const refuseWhenOver = () => {
    if (signal?.aborted) throw new CairnError('canceled', 'the watch was canceled');
    state.refuseWhenClosed();
  };
  try {
    for (let next = from; ; ) {
      refuseWhenOver();
      state.refuseForgotten(next);
      if (next > state.revision) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const { batches, through } = await state.changes(next, span);
      for (const batch of batches) {
        refuseWhenOver();
        yield batch;
      }
      next = through + 1;
    }
  } finally {
    stopListening();
    signal?.removeEventListener('abort', onEvent);
  }
}
