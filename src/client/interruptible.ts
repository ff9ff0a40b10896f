// A source that can be left while it stalls.

import { CairnError } from '../base/errors.js';

/** The source's pieces; `canceled` as soon as the signal is raised, also when the source never answers again. */
export async function* interruptible(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  if (signal === undefined) {
    yield* source;
    return;
  }
  const pieces = source[Symbol.asyncIterator]();
  let raise = () => {};
  const raised = new Promise<never>((_, reject) => {
    raise = () => reject(new CairnError('canceled', 'canceled', { cause: signal.reason }));
  });
  raised.catch(() => {});
  signal.addEventListener('abort', raise);
  if (signal.aborted) raise();
  try {
    for (;;) {
      const { done, value } = await Promise.race([pieces.next(), raised]);
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener('abort', raise);
    // Not awaited: a source that stalls would hold up its own end.
    pieces.return?.()?.catch(() => {});
  }
}
