// Keeps the history of a metadata store to about one interval: each time one has passed, what was the present when it began
// becomes the oldest revision that can be read.

import type { Clock } from '../base/clock.js';
import type { KvStore } from './kv.js';

/** The answer stops it. `onError` is told of compactions that failed; the next one makes up for them. */
export function compactRegularly(
  kv: Pick<KvStore, 'status' | 'compact'>,
  clock: Clock,
  intervalMilliseconds: number,
  onError: (error: unknown) => void,
): () => void {
  let isStopped = false;
  let cancel = () => {};
  let previous: number | undefined;
  const round = async () => {
    try {
      const { revision } = await kv.status();
      if (previous !== undefined && !isStopped) await kv.compact(previous);
      previous = revision;
    } catch (error) {
      if (!isStopped) onError(error);
    }
    schedule();
  };
  const schedule = () => {
    if (!isStopped) cancel = clock.after(intervalMilliseconds, () => void round());
  };
  schedule();
  return () => {
    isStopped = true;
    cancel();
  };
}
