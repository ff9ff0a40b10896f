import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { TurnBudget } from '../../../src/base/node/turn-budget.js';

it('lets so much be done in a turn, and the rest in the next ones, in order', async () => {
  const turns = new TurnBudget(10);
  expect(turns.take(6)).toBeUndefined();
  expect(turns.take(4)).toBeUndefined();
  const begun: string[] = [];
  const waiting = [
    { name: 'a', count: 5 },
    { name: 'b', count: 7 },
    { name: 'c', count: 3 },
    { name: 'larger than a turn', count: 50 },
    { name: 'd', count: 1 },
  ].map(({ name, count }) => turns.take(count)?.then(() => begun.push(name)));
  expect(waiting).not.toContain(undefined);
  const perTurn: string[][] = [];
  while (begun.length < 5) {
    const before = begun.length;
    await nextTurn();
    if (begun.length > before) perTurn.push(begun.slice(before));
  }
  expect(perTurn).toEqual([['a'], ['b', 'c'], ['larger than a turn'], ['d']]);
  await nextTurn();
  expect(turns.take(10)).toBeUndefined();
});
