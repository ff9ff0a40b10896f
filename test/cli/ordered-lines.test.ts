import { describe, expect, it } from 'vitest';
import { OrderedLines } from '../../src/cli/ordered-lines.js';

describe('OrderedLines', () => {
  it('prints each line when all before it are settled, and nothing for those without one', () => {
    const printed: string[] = [];
    const lines = new OrderedLines((line) => printed.push(line));
    lines.settle(2, 'c');
    lines.settle(1, undefined);
    expect(printed).toEqual([]);
    lines.settle(0, 'a');
    expect(printed).toEqual(['a', 'c']);
    lines.settle(3, 'd');
    expect(printed).toEqual(['a', 'c', 'd']);
  });
});
