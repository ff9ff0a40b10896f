// Work on many items of one call, a few at a time.

import { CairnError } from '../../base/errors.js';

/**
 * Does `work` for each item, at most `concurrency` at once, and answers in order of the items. The first failure ends it,
 * as does the signal (`canceled`); work under way is waited for.
 */
export async function concurrently<T, R>(
  items: readonly T[],
  concurrency: number,
  signal: AbortSignal,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  let failed = false;
  async function worker(): Promise<void> {
    while (next < items.length && !failed) {
      const index = next++;
      try {
        if (signal.aborted) throw new CairnError('canceled', 'the call was canceled', { cause: signal.reason });
        results[index] = await work(items[index]!, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  }
  const workers = Array.from({ length: Math.min(concurrency, items.length) }, worker);
  const outcomes = await Promise.allSettled(workers);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return results;
}
