import { expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { PromptReads } from '../../src/log/prompt-reads.js';

const { promptReadBytesMax, promptReadMillisecondsMax, promptReadsTrustedCount } = limits;
const { promptReadPauseMillisecondsMin: pauseMin, promptReadPauseMillisecondsMax: pauseMax } = limits;

/** Reads that take as long as the test says; `now` is what the clock shows. */
function setUp() {
  const clock = { now: 0, monotonic: () => clock.now };
  const reads = new PromptReads(clock);
  const take = (milliseconds: number, bytes = 100) =>
    reads.attempt(bytes, () => {
      clock.now += milliseconds;
      return bytes;
    });
  return { clock, take };
}

const fast = promptReadMillisecondsMax / 2;
const slow = promptReadMillisecondsMax * 2;

it('are made as long as they are fast, and of few bytes', () => {
  const { take } = setUp();
  for (let i = 0; i < 5; i++) expect(take(fast)).toBe(100);
  expect(take(fast, promptReadBytesMax)).toBe(promptReadBytesMax);
  expect(take(fast, promptReadBytesMax + 1)).toBeUndefined();
});

it('pause after a slow one, twice as long after each that follows', () => {
  const { clock, take } = setUp();
  for (let pause = pauseMin; pause < 3 * pauseMax; pause *= 2) {
    expect(take(slow)).toBe(100);
    const end = clock.now + Math.min(pause, pauseMax);
    clock.now = end - 0.01;
    expect(take(fast)).toBeUndefined();
    clock.now = end;
  }
});

it('forget the slow ones after many that were fast', () => {
  const { clock, take } = setUp();
  for (const _ of [1, 2, 3]) {
    take(slow);
    clock.now += pauseMax;
  }
  for (let i = 0; i < promptReadsTrustedCount; i++) expect(take(fast)).toBe(100);
  take(slow);
  clock.now += pauseMin;
  expect(take(fast)).toBe(100);
});
