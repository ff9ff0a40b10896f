// Waiting that ends with a signal.

import { CairnError } from '../../base/errors.js';

/**
 * The items of an iterable until the signal aborts, then `canceled`. Ending early, also while an item is awaited, takes
 * effect at once and leaves the iterable as it is: what is left of a request is the listener's to read.
 */
export function untilAborted<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncIterableIterator<T, undefined> {
  const iterator = items[Symbol.asyncIterator]();
  let ended = false;
  let settle: ((step: IteratorResult<T, undefined>) => void) | undefined;
  let fail: ((error: CairnError) => void) | undefined;
  const canceled = () => new CairnError('canceled', 'the call was canceled', { cause: signal.reason });
  const onAbort = () => {
    ended = true;
    fail?.(canceled());
  };
  signal.addEventListener('abort', onAbort, { once: true });
  function end(): void {
    ended = true;
    signal.removeEventListener('abort', onAbort);
  }
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      if (signal.aborted) return Promise.reject(canceled());
      if (ended) return Promise.resolve({ done: true, value: undefined });
      return new Promise((resolve, reject) => {
        settle = resolve;
        fail = reject;
        iterator.next().then(
          (step) => {
            if (step.done) end();
            resolve(step.done ? { done: true, value: undefined } : step);
          },
          (error: unknown) => {
            end();
            reject(error);
          },
        );
      });
    },
    return() {
      end();
      settle?.({ done: true, value: undefined });
      return Promise.resolve({ done: true, value: undefined });
    },
  };
}

/** Resolves when the first of the signals aborts. */
export function firstAborted(signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const onAbort = () => {
      for (const signal of signals) signal.removeEventListener('abort', onAbort);
      resolve();
    };
    for (const signal of signals) signal.addEventListener('abort', onAbort);
    if (signals.some((signal) => signal.aborted)) onAbort();
  });
}
