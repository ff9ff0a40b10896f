import { describe, expect, it } from 'vitest';
import { diffTrees, type TreeChange } from '../../src/tree/diff-trees.js';
import { comparePaths, type TreeItem } from '../../src/tree/tree-item.js';
import { type SeededRandom, seededRandom, testRounds, testSeed } from '../support/random.js';
import {
  all,
  branch,
  emptyDirectory,
  file,
  leaf,
  link,
  NodeShelf,
  projectItems,
  randomItem,
  randomItems,
  sorted,
} from '../support/trees.js';

async function diff(before: readonly TreeItem[], after: readonly TreeItem[], from?: string): Promise<TreeChange[]> {
  const shelf = new NodeShelf();
  const [old, now] = [await shelf.build(before), await shelf.build(after)];
  return all(diffTrees(shelf.source, old.digest.hash, now.digest.hash, from));
}

function bruteForce(before: readonly TreeItem[], after: readonly TreeItem[], from = ''): TreeChange[] {
  const [old, now] = [before, after].map((items) => new Map(items.map((item) => [item.path, item])));
  return [...new Set([...old!.keys(), ...now!.keys()])]
    .sort(comparePaths)
    .filter((path) => comparePaths(path, from) > 0)
    .map((path) => ({ before: old!.get(path), after: now!.get(path) }))
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after));
}

/** The tree with some entries gone, some changed, some new; still a tree. */
function changed(random: SeededRandom, items: readonly TreeItem[], changes: number): TreeItem[] {
  const next = new Map(items.map((item) => [item.path, item]));
  for (let i = 0; i < changes && next.size > 0; i++) {
    const { path } = random.pick([...next.values()]);
    const change = random.below(4);
    if (change === 0) next.delete(path);
    else if (change === 1) next.set(path, randomItem(random, path));
    else if (change === 2) next.set(`${path}!`, randomItem(random, `${path}!`));
    else if (!path.endsWith('!') && !next.has(`${path}!`)) {
      next.delete(path);
      next.set(`${path}/new`, randomItem(random, `${path}/new`));
    }
  }
  const conflict = [...next.keys()].filter((path) =>
    path.split('/').some((_, i, names) => i > 0 && next.has(names.slice(0, i).join('/'))),
  );
  for (const path of conflict) next.delete(path);
  return sorted(next.values());
}

describe('diffTrees', () => {
  it('tells what came, went and changed', async () => {
    const before = [
      file('a'),
      file('b'),
      { ...file('c'), executable: false },
      link('d', 'a'),
      emptyDirectory('e'),
      file('f'),
    ];
    const after = [
      file('a'),
      file('b', 'new'),
      { ...file('c'), executable: true },
      link('d', 'b'),
      file('e/x'),
      file('g'),
    ];
    expect(await diff(before, after)).toEqual([
      { before: before[1], after: after[1] },
      { before: before[2], after: after[2] },
      { before: before[3], after: after[3] },
      { before: before[4], after: undefined },
      { before: undefined, after: after[4] },
      { before: before[5], after: undefined },
      { before: undefined, after: after[5] },
    ]);
  });

  it.each([
    { what: 'read-only', a: file('a'), b: { ...file('a'), readonly: true } },
    { what: 'a link', a: file('a'), b: link('a', 'b') },
    { what: 'an empty directory', a: link('a', 'b'), b: emptyDirectory('a') },
  ])('sees that an entry became $what', async ({ a, b }) => {
    expect(await diff([a], [b])).toEqual([{ before: a, after: b }]);
    expect(await diff([b], [b])).toEqual([]);
  });

  it('takes the empty tree on either side', async () => {
    expect(await diff([], [file('a')])).toEqual([{ before: undefined, after: file('a') }]);
    expect(await diff([file('a')], [])).toEqual([{ before: file('a'), after: undefined }]);
    expect(await diff([], [])).toEqual([]);
  });

  it('agrees with brute force, whole and from any path on', async () => {
    const random = seededRandom(testSeed('diffTrees'));
    for (let round = 0; round < 40 * testRounds(); round++) {
      const before = randomItems(random, random.pick([2, 20, 200, 2000]));
      const after = random.chance(0.1)
        ? randomItems(random, random.pick([2, 20, 2000]))
        : changed(random, before, random.pick([0, 1, 3, 30, 300]));
      const whole = bruteForce(before, after);
      expect(await diff(before, after)).toEqual(whole);
      const paths = [...before, ...after].map(({ path }) => path);
      for (let page = 0; page < 5 && paths.length > 0; page++) {
        const path = random.pick(paths);
        const from = random.pick([path, path.slice(0, 2), `${path}!`, path.split('/')[0]!]);
        expect(await diff(before, after, from), from).toEqual(bruteForce(before, after, from));
      }
    }
  });

  it('reads only what differs', async () => {
    const items = projectItems(20_000);
    const shelf = new NodeShelf();
    const [old, same] = [await shelf.build(items), await shelf.build(items)];
    const more = await shelf.build(
      sorted([...items.filter((_, i) => i !== 9000), file('node_modules/package-100/new')]),
    );
    shelf.reads = [];
    expect(await all(diffTrees(shelf.source, old.digest.hash, same.digest.hash))).toEqual([]);
    expect(shelf.reads.length).toBe(0);
    expect((await all(diffTrees(shelf.source, old.digest.hash, more.digest.hash))).length).toBe(2);
    expect(shelf.reads.length).toBeLessThan(24);
    shelf.reads = [];
    expect(await all(diffTrees(shelf.source, old.digest.hash, more.digest.hash, 'z'))).toEqual([]);
    expect(shelf.reads.length).toBeLessThan(12);
  });

  it('finds a whole tree inside one that is higher', async () => {
    const shelf = new NodeShelf();
    const whole = branch(shelf.keepPart(leaf(file('a'), file('b'))), shelf.keepPart(leaf(file('c'))));
    const before = shelf.keep(whole);
    const after = shelf.keep(branch(shelf.keepPart(whole), shelf.keepPart(leaf(file('d')))));
    for (const [old, now] of [[before, after] as const, [after, before] as const]) {
      shelf.reads = [];
      expect((await all(diffTrees(shelf.source, old.hash, now.hash))).length).toBe(1);
      // Both roots, and the leaf that only one has.
      expect(shelf.reads.length).toBe(3);
    }
  });

  it('refuses trees that are not well formed, and says when one is not there', async () => {
    const shelf = new NodeShelf();
    const old = await shelf.build([file('a')]);
    const lying = shelf.keep(
      branch(shelf.keepPart(leaf(file('b'))), shelf.keepPart(leaf(file('d')), { firstPath: 'c' })),
    );
    await expect(all(diffTrees(shelf.source, old.digest.hash, lying.hash))).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    const { hash } = shelf.keep(leaf(file('x')));
    shelf.nodes.delete(Buffer.from(hash).toString('hex'));
    await expect(all(diffTrees(shelf.source, old.digest.hash, hash))).rejects.toMatchObject({ code: 'not_found' });
    await expect(all(diffTrees(shelf.source, hash, old.digest.hash))).rejects.toMatchObject({ code: 'not_found' });
  });
});
