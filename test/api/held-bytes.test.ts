import { expect, it } from 'vitest';
import { HeldBytes } from '../../src/api/held-bytes.js';
import { ByteBudget } from '../../src/base/byte-budget.js';

it('counts nothing twice, and nothing of a request that is over', () => {
  const budget = new ByteBudget(100);
  const held = new HeldBytes(budget);
  held.take(60);
  expect(() => held.take(50)).toThrow(expect.objectContaining({ code: 'overloaded' }));
  held.give(10);
  expect(budget.takenBytes).toBe(50);
  held.release();
  held.give(50);
  held.take(50);
  expect(budget.takenBytes).toBe(0);
  held.take(101);
  held.release();
  expect(budget.takenBytes).toBe(0);
});
