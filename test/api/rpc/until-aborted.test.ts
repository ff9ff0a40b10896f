import { expect, it } from 'vitest';
import { firstAborted, untilAborted } from '../../../src/api/rpc/until-aborted.js';
import { collect, sequence } from '../../conformance/wire-blobs.js';

/** One item, then nothing for ever; notes whether it was ended. */
function stalled() {
  const state = { ended: false };
  const items = (async function* () {
    try {
      yield 1;
      await new Promise(() => {});
    } finally {
      state.ended = true;
    }
  })();
  return { state, items };
}

it('passes items and errors on', async () => {
  const { signal } = new AbortController();
  expect(await collect(untilAborted(sequence([1, 2, 3]), signal))).toEqual([1, 2, 3]);
  const failing = (async function* () {
    yield 1;
    throw new Error('broken');
  })();
  await expect(collect(untilAborted(failing, signal))).rejects.toThrow('broken');
});

it('fails with canceled while an item is awaited, and ever after', async () => {
  const abort = new AbortController();
  const iterator = untilAborted(stalled().items, abort.signal);
  expect(await iterator.next()).toEqual({ done: false, value: 1 });
  const waiting = iterator.next();
  abort.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'canceled' });
  await expect(iterator.next()).rejects.toMatchObject({ code: 'canceled' });
});

it('can be ended while an item is awaited, and leaves the items alone', async () => {
  const { state, items } = stalled();
  const iterator = untilAborted(items, new AbortController().signal);
  await iterator.next();
  const waiting = iterator.next();
  await iterator.return?.();
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(state.ended).toBe(false);
});

it('firstAborted resolves with the first signal', async () => {
  const [a, b] = [new AbortController(), new AbortController()];
  const first = firstAborted([a.signal, b.signal]);
  b.abort();
  await first;
  await firstAborted([a.signal, b.signal]);
});
