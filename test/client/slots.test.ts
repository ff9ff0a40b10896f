import { describe, expect, it } from 'vitest';
import { Slots } from '../../src/client/slots.js';

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve = () => {};
  let reject = (_: Error) => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

describe('Slots', () => {
  it('runs so many at once and no more, and drains', async () => {
    const slots = new Slots(3);
    let running = 0;
    let most = 0;
    let done = 0;
    for (let i = 0; i < 20; i++) {
      await slots.start(async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        done++;
      });
    }
    await slots.drain();
    expect({ most, done }).toEqual({ most: 3, done: 20 });
  });

  it('starts nothing more after a failure, and tells it to everybody', async () => {
    const slots = new Slots(1);
    const first = deferred();
    await slots.start(() => first.promise);
    let started = false;
    const waiting = slots.start(async () => {
      started = true;
    });
    first.reject(new Error('broken'));
    await expect(waiting).rejects.toThrow('broken');
    await expect(slots.start(async () => {})).rejects.toThrow('broken');
    await expect(slots.drain()).rejects.toThrow('broken');
    expect(started).toBe(false);
  });

  it('drains only when all has ended, also after a failure', async () => {
    const slots = new Slots(2);
    const [bad, slow] = [deferred(), deferred()];
    await slots.start(() => bad.promise);
    await slots.start(() => slow.promise);
    bad.reject(new Error('broken'));
    let drained = false;
    const draining = slots.drain().catch(() => {
      drained = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(drained).toBe(false);
    slow.resolve();
    await draining;
    expect(drained).toBe(true);
  });
});
