import { describe, expect, it } from 'vitest';
import { emptyDigest, hashHex, toDigest } from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob, hashBytes } from '../../src/blake3/hasher.js';
import { buildTree, type TreeRoot } from '../../src/tree/build-tree.js';
import type { TreeItem } from '../../src/tree/tree-item.js';
import { decodeNode } from '../../src/tree/tree-node.js';
import { TreeReader } from '../../src/tree/tree-reader.js';
import { type SeededRandom, seededRandom, testRounds, testSeed } from '../support/random.js';
import {
  all,
  emptyDirectory,
  file,
  fileSize,
  link,
  NodeShelf,
  projectItems,
  randomItem,
  randomItems,
  sorted,
  sum,
} from '../support/trees.js';

async function read(shelf: NodeShelf, root: TreeRoot): Promise<TreeItem[]> {
  return all((await TreeReader.open(shelf.source, root.digest.hash)).items());
}

/** Nodes in `after` that are not in `before`. */
function newNodes(before: NodeShelf, after: NodeShelf): Uint8Array[] {
  return [...after.nodes].filter(([hex]) => !before.nodes.has(hex)).map(([, bytes]) => bytes);
}

describe('buildTree', () => {
  it('makes the empty blob of nothing', async () => {
    const shelf = new NodeShelf();
    expect(await shelf.build([])).toEqual({ digest: emptyDigest, itemCount: 0, fileBytes: 0 });
    expect(shelf.stored).toEqual([emptyDigest]);
  });

  it('makes one leaf of little', async () => {
    const shelf = new NodeShelf();
    const root = await shelf.build([file('a', 'x'), file('b', 'yy'), emptyDirectory('c')]);
    expect(root).toEqual({ digest: shelf.stored[0], itemCount: 3, fileBytes: 3 });
    expect(shelf.stored.length).toBe(1);
  });

  it('takes entries that come asynchronously, and waits for the store', async () => {
    const items = projectItems(500);
    async function* later() {
      yield* items;
    }
    const events: string[] = [];
    const root = await buildTree(later(), async (node) => {
      events.push(`begin ${hashHex(node.hash)}`);
      await Promise.resolve();
      events.push(`end ${hashHex(node.hash)}`);
    });
    expect(root).toEqual(await new NodeShelf().build(items));
    expect(events.length).toBeGreaterThan(10);
    for (let i = 0; i < events.length; i += 2) expect(events[i + 1]).toBe(events[i]!.replace('begin', 'end'));
  });

  it('hands out every node after its children, none larger than a node may be, the root last', async () => {
    const shelf = new NodeShelf();
    const root = await shelf.build(projectItems(5000));
    const seen = new Set<string>();
    for (const digest of shelf.stored) {
      const bytes = shelf.nodes.get(hashHex(digest.hash))!;
      expect(digest).toEqual(digestBlob(bytes));
      expect(bytes.length).toBeLessThanOrEqual(limits.treeNodeBytesMax);
      const node = decodeNode(bytes);
      if (node.kind === 'branch') for (const part of node.parts) expect(seen).toContain(hashHex(part.node.hash));
      seen.add(hashHex(digest.hash));
    }
    expect(shelf.stored.at(-1)).toEqual(root.digest);
  });

  it.each([
    { what: 'an entry that no tree may hold', items: [file('a'), file('../b')] },
    { what: 'a link that leads out', items: [link('a', '..')] },
    { what: 'entries out of order', items: [file('b'), file('a')] },
    { what: 'a path twice', items: [file('a'), file('a')] },
    { what: 'an entry below a file', items: [file('a'), file('a-b'), file('a/b')] },
  ])('refuses $what', async ({ items }) => {
    await expect(new NodeShelf().build(items)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('refuses more bytes than can be counted', async () => {
    const huge = (path: string): TreeItem => ({ ...file(path), digest: toDigest(emptyDigest.hash, 2 ** 53 - 1) });
    await expect(new NodeShelf().build([huge('a'), huge('b')])).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('passes on what the store fails with', async () => {
    const failure = new Error('no');
    await expect(buildTree(projectItems(100), () => Promise.reject(failure))).rejects.toBe(failure);
  });

  it('keeps nodes of long paths and targets within the limit, and shrinks from level to level', async () => {
    const long = (i: number) => `${'d'.repeat(250)}/`.repeat(15) + String(i).padStart(6, '0');
    const items = Array.from({ length: 2000 }, (_, i) => link(long(i), 'x'.repeat(4096)));
    const shelf = new NodeShelf();
    const root = await shelf.build(items);
    for (const { size } of shelf.stored) expect(size).toBeLessThanOrEqual(limits.treeNodeBytesMax);
    expect(shelf.stored.length).toBeLessThan(500);
    expect(await read(shelf, root)).toEqual(items);
  });

  it('ends branches of two parts or more where every path is made to begin a node', async () => {
    const items: TreeItem[] = [];
    for (let i = 0; items.length < 300; i++) {
      const hash = hashBytes(new TextEncoder().encode(`n${i}`));
      if ((hash[0]! & 31) === 0 && (hash[1]! & 31) === 0) items.push(emptyDirectory(`n${i}`));
    }
    const shelf = new NodeShelf();
    const root = await shelf.build(sorted(items));
    // 300 leaves of one entry, 150 branches over them, and what is above.
    expect(shelf.stored.length).toBeGreaterThan(450);
    expect(shelf.stored.length).toBeLessThan(470);
    expect(await read(shelf, root)).toEqual(sorted(items));
  }, 60_000);

  it('reads back random trees', async () => {
    const random = seededRandom(testSeed('buildTree'));
    for (let round = 0; round < 40 * testRounds(); round++) {
      const items = randomItems(random, random.below(2 ** (1 + (round % 11))));
      const shelf = new NodeShelf();
      const root = await shelf.build(items);
      expect(root.itemCount).toBe(items.length);
      expect(root.fileBytes).toBe(sum(items.map(fileSize)));
      expect(await read(shelf, root)).toEqual(items);
    }
  });

  it('reads back 100,000 entries', async () => {
    const items = randomItems(seededRandom(testSeed('100,000 entries')), 120_000);
    expect(items.length).toBeGreaterThan(100_000);
    const shelf = new NodeShelf();
    const root = await shelf.build(items);
    const back = await read(shelf, root);
    expect(back.length).toBe(items.length);
    // One by one: a difference in the whole would take the test's printer minutes.
    for (const [i, item] of items.entries()) if (!same(item, back[i]!)) expect(back[i]).toEqual(item);
  }, 120_000);
});

function same(a: TreeItem, b: TreeItem): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

describe('a tree that changes', () => {
  it('does not remember how it came to be', async () => {
    const random = seededRandom(testSeed('history'));
    for (let round = 0; round < 5 * testRounds(); round++) {
      const items = new Map(randomItems(random, 1500).map((item) => [item.path, item]));
      const shelf = new NodeShelf();
      let root = await shelf.build(sorted(items.values()));
      const first = root;
      // Whatever was there before, the root is that of the entries; and only nodes around a change are new.
      const undo: [string, TreeItem][] = [];
      for (let step = 0; step < 10; step++) {
        const path = random.pick([...items.keys()]);
        undo.push([path, items.get(path)!]);
        items.delete(path);
        const next = new NodeShelf();
        root = await next.build(sorted(items.values()));
        expect(newNodes(shelf, next).length).toBeLessThan(12);
        for (const [hex, bytes] of next.nodes) shelf.nodes.set(hex, bytes);
        expect(await read(shelf, root)).toEqual(sorted(items.values()));
      }
      for (const [path, item] of shuffled(random, undo)) items.set(path, item);
      expect(await new NodeShelf().build(sorted(items.values()))).toEqual(first);
    }
  });

  it('keeps its borders when a file changes', async () => {
    const random = seededRandom(testSeed('borders'));
    const items = randomItems(random, 3000);
    const before = new NodeShelf();
    await before.build(items);
    for (let round = 0; round < 20; round++) {
      const i = random.below(items.length);
      const changed = randomItem(random, items[i]!.path);
      if (changed.kind !== 'file') continue;
      const after = new NodeShelf();
      await after.build(items.with(i, changed));
      expect(after.stored.length).toBe(before.stored.length);
      expect(newNodes(before, after).length).toBeLessThanOrEqual(5);
    }
  });

  it('of 50,000 files writes a few kilobytes when one changes', async () => {
    const random = seededRandom(testSeed('one of 50,000'));
    const items = projectItems(50_000);
    const before = new NodeShelf();
    await before.build(items);
    const costs: { nodes: number; bytes: number }[] = [];
    for (let round = 0; round < 8 * testRounds(); round++) {
      const i = random.below(items.length);
      const after = new NodeShelf();
      await after.build(items.with(i, file(items[i]!.path, `changed ${round}`)));
      const nodes = newNodes(before, after);
      costs.push({ nodes: nodes.length, bytes: sum(nodes.map((bytes) => bytes.length)) });
    }
    for (const { nodes } of costs) expect(nodes).toBeLessThanOrEqual(4);
    // An unlucky file has large nodes all the way up; not so many of them have.
    expect(costs.map(({ bytes }) => bytes).sort((a, b) => a - b)[costs.length >> 1]).toBeLessThan(40_000);
    for (const { bytes } of costs) expect(bytes).toBeLessThan(100_000);
  }, 120_000);
});

function shuffled<T>(random: SeededRandom, values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, rank: random.below(2 ** 32) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ value }) => value);
}
