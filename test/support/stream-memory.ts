// What bodies on their way are given to hold bytes by.

import { ByteBudget } from '../../src/base/byte-budget.js';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { limits } from '../../src/base/limits.js';

export interface StreamMemory {
  readonly budget: ByteBudget;
  readonly clock: Clock;
}

export function streamMemory(given: Partial<StreamMemory> = {}): StreamMemory {
  return { budget: new ByteBudget(limits.streamBudgetBytes), clock: systemClock, ...given };
}
