// How long this thread has been ready to run while others had the processors, where the system tells: Linux does, in the second
// field of proc(5)'s `schedstat`, in nanoseconds.

import { readFileSync } from 'node:fs';

/** Milliseconds from an arbitrary start; always 0 where the system does not tell. */
export function processorWaitMilliseconds(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[1]) / 1e6 || 0;
  } catch {
    return 0;
  }
}
