import { expect, it } from 'vitest';
import { ByteBudget } from '../../src/base/byte-budget.js';

it('grants all or nothing, and no more than there is', () => {
  const budget = new ByteBudget(100);
  expect(budget.take(60)).toBe(true);
  expect(budget.take(41)).toBe(false);
  expect(budget.take(40)).toBe(true);
  expect(budget.takenBytes).toBe(100);
  budget.give(60);
  expect(budget.take(60)).toBe(true);
  budget.give(100);
  expect(budget.takenBytes).toBe(0);
  expect(() => budget.give(1)).toThrow('nobody gives back more');
});
