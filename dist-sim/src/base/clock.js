// Time comes in through this interface, so that tests and simulations can hold it.
export const systemClock = {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(milliseconds, callback) {
        const timer = setTimeout(callback, milliseconds);
        timer.unref();
        return () => clearTimeout(timer);
    },
};
/** The beginning of Unix time, for formats that want a time where there is none. Not to be changed. */
export const epoch = new Date(0);
/** A time of day as people and JSON write it, to the second: `2026-01-05T10:00:00Z` (RFC 3339). */
export function formatTime(milliseconds) {
    return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}
/** Resolves after so many milliseconds of the given clock. */
export function sleep(clock, milliseconds) {
    return new Promise((resolve) => {
        clock.after(milliseconds, resolve);
    });
}
