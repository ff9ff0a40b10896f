import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { type Clock, formatTime, sleep, systemClock } from '../../src/base/clock.js';

describe('systemClock', () => {
  it('tells the time of day', () => {
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000);
  });

  it('never goes back', () => {
    let last = systemClock.monotonic();
    for (let i = 0; i < 10_000; i++) {
      const now = systemClock.monotonic();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
  });

  it('calls back once, no earlier than asked, later ones later', async () => {
    const calls: string[] = [];
    const start = systemClock.monotonic();
    await new Promise<void>((resolve) => {
      systemClock.after(40, () => {
        calls.push('late');
        resolve();
      });
      systemClock.after(10, () => calls.push('early'));
      // Timers do not keep the process alive, so something else has to.
      setTimeout(() => {}, 200);
    });
    expect(calls).toEqual(['early', 'late']);
    // Node counts timers in whole milliseconds of its own.
    expect(systemClock.monotonic() - start).toBeGreaterThanOrEqual(38);
  });

  it('does not call back when canceled', async () => {
    let called = 0;
    const cancel = systemClock.after(10, () => called++);
    cancel();
    cancel();
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(called).toBe(0);
  });

  it('does not keep the process alive', () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const cancel = systemClock.after(60_000, () => {});
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout')).toHaveLength(before);
    cancel();
  });
});

describe('formatTime', () => {
  it.each([
    { milliseconds: 0, text: '1970-01-01T00:00:00Z' },
    { milliseconds: 1_767_607_200_999, text: '2026-01-05T10:00:00Z' },
  ])('$text', ({ milliseconds, text }) => {
    expect(formatTime(milliseconds)).toBe(text);
  });
});

describe('sleep', () => {
  it('goes by the clock it is given', async () => {
    const asked: number[] = [];
    let wake = () => {};
    const clock: Clock = {
      now: () => 0,
      monotonic: () => 0,
      after(milliseconds, callback) {
        asked.push(milliseconds);
        wake = callback;
        return () => {};
      },
    };
    let awake = false;
    const sleeping = sleep(clock, 1e9).then(() => {
      awake = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(awake).toBe(false);
    wake();
    await sleeping;
    expect(asked).toEqual([1e9]);
  });

  it.each(['before', 'later'])('ends with its signal, raised %s, and leaves nothing behind', async (when) => {
    let timers = 0;
    const clock = {
      after() {
        timers++;
        return () => void timers--;
      },
    };
    const stopping = new AbortController();
    if (when === 'before') stopping.abort();
    const sleeping = sleep(clock, 1e9, stopping.signal);
    stopping.abort();
    await sleeping;
    expect(timers).toBe(0);
    expect(getEventListeners(stopping.signal, 'abort')).toEqual([]);
  });
});
