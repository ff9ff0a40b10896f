import { describe, expect, it } from 'vitest';
import { errorCode } from '../../src/base/errors.js';
import { TreeOrder } from '../../src/tree/tree-order.js';
import { seededRandom, testRounds, testSeed } from '../support/random.js';
import { emptyDirectory, file, link, randomItem, sorted } from '../support/trees.js';

function check(items: Parameters<TreeOrder['check']>[0][]): void {
  const order = new TreeOrder();
  for (const item of items) order.check(item);
}

describe('TreeOrder', () => {
  it('accepts names that begin alike', () => {
    check(['a', 'a b', 'a!', 'a-', 'a-b/c', 'a-b/c-d', 'a.b', 'a0/b', 'ab', 'ab-/a', 'b'].map((path) => file(path)));
  });

  it.each([
    { what: 'a path twice', items: [file('a'), file('a', 2)], says: /"a" appears twice/ },
    { what: 'a path too late', items: [file('b'), file('a')], says: /"a" comes after "b"/ },
    { what: 'UTF-16 order', items: [file('𐀀'), file('\uffff')], says: /comes after/ },
    { what: 'a path below a file', items: [file('a'), file('a/b')], says: /"a\/b" lies below "a"/ },
    { what: 'a path far below a link', items: [link('a', 'b'), file('a/b/c/d')], says: /"a\/b\/c\/d" lies below "a"/ },
    { what: 'a path below an empty directory', items: [emptyDirectory('a'), emptyDirectory('a/b')], says: /below "a"/ },
    {
      what: 'a path below a file some entries before',
      items: [file('a'), file('a-'), file('a-b/c'), file('a.'), file('a/b')],
      says: /"a\/b" lies below "a"/,
    },
    {
      what: 'nested beginnings',
      items: [file('x/a'), file('x/a!'), file('x/a!b'), file('x/a!/c')],
      says: /comes after/,
    },
    { what: 'a deeper one', items: [file('x/a'), file('x/a!'), file('x/a!!'), file('x/a!/c')], says: /below "x\/a!"/ },
  ])('refuses $what', ({ items, says }) => {
    const act = () => check(items);
    expect(act).toThrow(says);
    expect(act).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });

  it('agrees with brute force', () => {
    const random = seededRandom(testSeed('TreeOrder'));
    let refusals = 0;
    for (let round = 0; round < 2000 * testRounds(); round++) {
      const paths = new Set(
        Array.from({ length: random.between(1, 7) }, () =>
          Array.from({ length: random.between(1, 3) }, () => random.pick(['a', 'a-', 'a!', 'a0', 'b'])).join('/'),
        ),
      );
      const conflict = [...paths].some((a) => [...paths].some((b) => b.startsWith(`${a}/`)));
      let code: string | undefined;
      try {
        check(sorted([...paths].map((path) => randomItem(random, path))));
      } catch (error) {
        code = errorCode(error);
      }
      expect(code, [...paths].join(' ')).toBe(conflict ? 'invalid_argument' : undefined);
      refusals += Number(conflict);
    }
    expect(refusals).toBeGreaterThan(100);
  });
});
