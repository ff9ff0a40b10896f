// Time comes in through this interface, so that tests and simulations can hold it.

export interface Clock {
  /** Milliseconds since the Unix epoch. May jump; for display and for expiry that other machines must understand. */
  now(): number;
  /** Milliseconds that only ever grow, from an arbitrary start. For measuring. */
  monotonic(): number;
  /** Calls back once after so many milliseconds, without keeping the process alive. The answer cancels it. */
  after(milliseconds: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** The beginning of Unix time, for formats that want a time where there is none. Not to be changed. */
export const epoch: Date = new Date(0);

/** Milliseconds of Unix time of a date in any of the usual spellings; not a number when it is none. */
export function parseTime(text: string): number {
  return Date.parse(text);
}

/** A moment, for interfaces that want a `Date`. */
export function dateAt(milliseconds: number): Date {
  return new Date(milliseconds);
}

/** A time of day as people and JSON write it, to the second: `2026-01-05T10:00:00Z` (RFC 3339). */
export function formatTime(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}

/** Resolves after so many milliseconds of the given clock, or when the signal aborts. */
export function sleep(clock: Pick<Clock, 'after'>, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      cancel();
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    const cancel = clock.after(milliseconds, wake);
    signal?.addEventListener('abort', wake);
    if (signal?.aborted) wake();
  });
}
