import { expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { PromptReads } from '../../src/log/prompt-reads.js';

const { promptReadBytesMax, promptReadCreditMillisecondsMax: credit } = limits;
/** Of a read of no bytes. */
const worth = limits.promptReadWorthMicroseconds / 1000;
const copying = promptReadBytesMax / limits.promptReadCopiedBytesPerMicrosecond / 1000;
const {
  promptReadChargeMillisecondsMax: charge,
  promptReadPauseMillisecondsMin: pauseMin,
  promptReadPauseMillisecondsMax: pauseMax,
} = limits;

/** Reads that take as long as the test says; `now` is what the clock shows. */
function setUp() {
  const clock = { now: 0, waited: 0, monotonic: () => clock.now };
  const reads = new PromptReads(clock, () => clock.waited);
  const take = (milliseconds: number, bytes = 0) =>
    reads.attempt(bytes, () => {
      clock.now += milliseconds;
      return bytes;
    });
  const earnAll = () => {
    for (let i = 0; i < 4 * (credit / worth); i++) expect(take(worth / 2)).toBe(0);
  };
  return { clock, take, earnAll };
}

it('are made as long as they pay beside the copying, and of few bytes', () => {
  const { take } = setUp();
  for (let i = 0; i < 5; i++) expect(take(worth / 4)).toBe(0);
  expect(take(worth + copying, promptReadBytesMax)).toBe(promptReadBytesMax);
  expect(take(worth, promptReadBytesMax + 1)).toBeUndefined();
  // What the others have earned.
  expect(take(4 * worth)).toBe(0);
  expect(take(worth)).toBe(0);
  expect(take(3 * worth)).toBe(0);
  expect(take(worth)).toBeUndefined();
});

it('pause when they did not, twice as long each time in a row', () => {
  const { clock, take } = setUp();
  for (let pause = pauseMin; pause < 3 * pauseMax; pause *= 2) {
    expect(take(2 * worth)).toBe(0);
    const end = clock.now + Math.min(pause, pauseMax);
    clock.now = end - 0.01;
    expect(take(0)).toBeUndefined();
    clock.now = end;
  }
});

it('earn so much that a process put to sleep does not matter, and no more', () => {
  const { clock, take, earnAll } = setUp();
  for (const _ of [1, 2, 3]) {
    take(2 * worth);
    clock.now += pauseMax;
  }
  earnAll();
  // However long it sleeps.
  for (let charged = 0; charged <= credit; charged += charge) expect(take(100 * charge)).toBe(0);
  expect(take(0)).toBeUndefined();
  clock.now += pauseMin;
  expect(take(0)).toBe(0);
});

it('are not charged what the thread waited for a processor, but what it waited for the disk', () => {
  const { clock, take } = setUp();
  for (let i = 0; i < 100; i++) {
    clock.waited += charge;
    expect(take(charge)).toBe(0);
  }
  expect(take(charge)).toBe(0);
  expect(take(0)).toBeUndefined();
});
