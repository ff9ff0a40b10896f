// When a tree counts as complete without a second look.

import { beforeEach, describe, expect, it } from 'vitest';
import { CompleteTrees } from '../../src/api/complete-trees.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';

const root = (name: string) => digestBlob(Buffer.from(name)).hash;

let deletedCount: number;
let looks: number;
let trees: CompleteTrees;

beforeEach(() => {
  deletedCount = 3;
  looks = 0;
  trees = new CompleteTrees(() => deletedCount);
});

const ask = (name: string, answer = true, meanwhile = () => {}) =>
  trees.isComplete(root(name), async () => {
    looks++;
    await Promise.resolve();
    meanwhile();
    return answer;
  });

describe('CompleteTrees', () => {
  it('looks once at a tree that is complete, and each time at one that is not', async () => {
    expect([await ask('a'), await ask('a'), looks]).toEqual([true, true, 1]);
    expect([await ask('b', false), await ask('b', false), looks]).toEqual([false, false, 3]);
    expect([await ask('b'), await ask('b'), await ask('a'), looks]).toEqual([true, true, true, 4]);
  });

  it('looks again at all trees once anything was deleted', async () => {
    await ask('a');
    await ask('b');
    deletedCount++;
    expect([await ask('a', false), await ask('b'), await ask('b'), looks]).toEqual([false, true, true, 4]);
  });

  it('takes no look for granted during which something was deleted', async () => {
    const remove = () => void deletedCount++;
    expect(await ask('a', true, remove)).toBe(true);
    expect([await ask('a', false), looks]).toEqual([false, 2]);
    // Another call has heard of the deletion before the look ends.
    const late = ask('b', true, remove);
    deletedCount++;
    await ask('c');
    await late;
    expect([await ask('b', false), looks]).toEqual([false, 5]);
  });

  it('remembers the failure of no look', async () => {
    const failing = trees.isComplete(root('a'), () => Promise.reject(new Error('away')));
    await expect(failing).rejects.toThrow('away');
    expect([await ask('a', false), looks]).toEqual([false, 1]);
  });

  it('forgets the oldest when there are too many', async () => {
    for (let i = 0; i <= limits.completeTreesCountMax; i++) await ask(String(i));
    const before = looks;
    await ask('1');
    expect(looks).toBe(before);
    await ask('0');
    expect(looks).toBe(before + 1);
  });
});
