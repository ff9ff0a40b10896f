import { beforeAll, describe, expect, it } from 'vitest';
import { emptyDigest } from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import type { TreeItem } from '../../src/tree/tree-item.js';
import { encodeNode, type TreeNode } from '../../src/tree/tree-node.js';
import { TreeReader } from '../../src/tree/tree-reader.js';
import { seededRandom, testRounds, testSeed } from '../support/random.js';
import {
  all,
  branch,
  emptyDirectory,
  file,
  leaf,
  link,
  NodeShelf,
  projectItems,
  randomItems,
} from '../support/trees.js';

function bytesOf(path: string): Buffer {
  return Buffer.from(path);
}

function expected(items: readonly TreeItem[], path = '', after = ''): TreeItem[] {
  return items.filter((item) => {
    const below = path === '' || item.path === path || item.path.startsWith(`${path}/`);
    return below && Buffer.compare(bytesOf(item.path), bytesOf(after)) > 0;
  });
}

describe('TreeReader', () => {
  const shelf = new NodeShelf();
  const items = projectItems(5000);
  let reader: TreeReader;

  beforeAll(async () => {
    const root = await shelf.build(items);
    reader = await TreeReader.open(shelf.source, root.digest.hash);
  });

  it('knows how much there is', () => {
    expect(reader.itemCount).toBe(5000);
    expect(reader.fileBytes).toBe(10 + 90 * 2 + 900 * 3 + 4000 * 4);
  });

  it('reads the empty tree', async () => {
    const empty = new NodeShelf();
    await empty.build([]);
    const nothing = await TreeReader.open(empty.source, emptyDigest.hash);
    expect([nothing.itemCount, nothing.fileBytes]).toEqual([0, 0]);
    expect(await all(nothing.items())).toEqual([]);
    expect(await all(nothing.items({ path: 'a', after: 'b' }))).toEqual([]);
    expect(await nothing.find('a')).toBeUndefined();
  });

  it('finds entries, and nothing else', async () => {
    for (const item of items.filter((_, i) => i % 97 === 0)) expect(await reader.find(item.path)).toEqual(item);
    for (const path of ['', 'a', 'node_modules', 'node_modules/package-0', `${items[0]!.path}/x`, 'zzz', '../x', '/']) {
      expect(await reader.find(path)).toBeUndefined();
    }
  });

  it('reads only what lies on the way', async () => {
    shelf.reads = [];
    const some = await all(
      (await TreeReader.open(shelf.source, shelf.stored.at(-1)!.hash)).items({ path: 'node_modules/package-7' }),
    );
    expect(some.length).toBe(60);
    expect(shelf.reads.length).toBeLessThan(20);
    shelf.reads = [];
    const fresh = await TreeReader.open(shelf.source, shelf.stored.at(-1)!.hash);
    await fresh.find(items[2500]!.path);
    expect(shelf.reads.length).toBeLessThanOrEqual(4);
  });

  it('stops reading when nobody wants more', async () => {
    const fresh = await TreeReader.open(shelf.source, shelf.stored.at(-1)!.hash);
    shelf.reads = [];
    for await (const item of fresh.items()) {
      expect(item).toEqual(items[0]);
      break;
    }
    expect(shelf.reads.length).toBeLessThanOrEqual(3);
  });

  it('agrees with brute force on what lies below a path and after another', async () => {
    const random = seededRandom(testSeed('TreeReader'));
    for (let round = 0; round < 15 * testRounds(); round++) {
      const all_ = randomItems(random, random.pick([3, 30, 300, 2000]));
      if (all_.length === 0) continue;
      const own = new NodeShelf();
      const root = await own.build(all_);
      const one = await TreeReader.open(own.source, root.digest.hash);
      const somePath = () => {
        const { path } = random.pick(all_);
        const cut = path.split('/').slice(0, random.between(0, 7)).join('/');
        return random.pick([path, cut, `${path}!`, `${cut}0`, `${cut}-`, '']);
      };
      for (let question = 0; question < 30; question++) {
        const [path, after] = [somePath(), somePath()];
        expect(await all(one.items({ path, after })), JSON.stringify({ path, after })).toEqual(
          expected(all_, path, after),
        );
        expect(await one.find(path)).toEqual(all_.find((item) => item.path === path));
      }
      expect(await all(one.items())).toEqual(all_);
    }
  });

  it('says when the root, or a node, is missing', async () => {
    await expect(TreeReader.open(async () => undefined, emptyDigest.hash)).rejects.toMatchObject({ code: 'not_found' });
    const half = new NodeShelf();
    const root = await half.build(items);
    for (const { hash } of half.stored.slice(0, 40)) half.nodes.delete(Buffer.from(hash).toString('hex'));
    const broken = await TreeReader.open(half.source, root.digest.hash);
    await expect(all(broken.items())).rejects.toMatchObject({ code: 'not_found' });
    await expect(broken.find(items[0]!.path)).rejects.toMatchObject({ code: 'not_found' });
    expect(await broken.find(items.at(-1)!.path)).toEqual(items.at(-1));
  });

  it('refuses what is no tree', async () => {
    for (const bytes of [bytesOf('hello'), new Uint8Array(1), new Uint8Array(2 ** 20)]) {
      await expect(TreeReader.open(async () => bytes, emptyDigest.hash)).rejects.toMatchObject({
        code: 'invalid_argument',
      });
    }
  });
});

describe('a hostile tree', () => {
  const ab = leaf(file('a'), file('b'));
  const shelf = new NodeShelf();
  const part = shelf.keepPart.bind(shelf);
  /** Branches on branches: one more level than a tree may have. */
  function tower(levels: number): TreeNode {
    let node: TreeNode = ab;
    for (let level = 1; level < levels; level++) node = branch(part(node));
    return node;
  }

  it.each([
    { what: 'a part that begins elsewhere', root: branch(part(ab, { firstPath: 'A' })), says: /does not begin where/ },
    { what: 'a part with more entries', root: branch(part(ab, { itemCount: 1 })), says: /number of entries/ },
    { what: 'a part with fewer entries', root: branch(part(ab, { itemCount: 3 })), says: /number of entries/ },
    { what: 'a part with other bytes', root: branch(part(ab, { fileBytes: 3 })), says: /bytes in files/ },
    {
      what: 'a branch that adds up to something else',
      root: branch(part(branch(part(ab, { itemCount: 5 }), part(leaf(file('c')), { itemCount: 2 })), { itemCount: 7 })),
      says: /number of entries/,
    },
    {
      what: 'a part of another size',
      root: branch(part(ab, { node: { ...shelf.keep(ab), size: 7 } })),
      says: /another size/,
    },
    {
      what: 'a part that reaches into the next',
      root: branch(part(leaf(file('a'), file('c'))), part(leaf(file('b')))),
      says: /reaches into/,
    },
    {
      what: 'a part that ends where the next begins',
      root: branch(part(ab), part(leaf(file('b', 'other')))),
      says: /reaches into/,
    },
    {
      what: 'a part deep down that reaches into the next of its parent',
      root: branch(part(branch(part(ab), part(leaf(file('c'), file('e'))))), part(leaf(file('d')))),
      says: /reaches into/,
    },
    { what: 'a part that is empty', root: branch(part(leaf(), { itemCount: 1, firstPath: 'a' })), says: /number of/ },
    { what: 'more levels than there may be', root: tower(limits.treeHeightMax + 1), says: /levels deep/ },
    {
      what: 'a path below a file in another leaf',
      root: branch(part(leaf(file('a'))), part(leaf(file('a/b')))),
      says: /"a\/b" lies below "a"/,
    },
    {
      what: 'a path below a link leaves away',
      root: branch(
        part(leaf(link('a', 'x'))),
        part(leaf(file('a-'))),
        part(branch(part(leaf(file('a.'))), part(leaf(file('a/b'))))),
      ),
      says: /"a\/b" lies below "a"/,
    },
    {
      what: 'a path below an empty directory in another leaf',
      root: branch(part(leaf(emptyDirectory('a'))), part(leaf(emptyDirectory('a/b')))),
      says: /"a\/b" lies below "a"/,
    },
    {
      what: 'a node that is no node',
      root: branch({ ...part(ab), node: shelf.keep(leaf(file('/'))) }),
      says: /absolute/,
    },
    { what: 'a link that leads out', root: branch(part(ab), part(leaf(link('c', '../d')))), says: /leads out/ },
    { what: 'a link to an absolute path', root: branch(part(ab), part(leaf(link('c', '/')))), says: /is absolute/ },
    {
      what: 'a path that climbs',
      root: branch(part(ab), part(leaf(file('c/../d')), { firstPath: 'c' })),
      says: /'\.\.'/,
    },
  ])('is refused: $what', async ({ root, says }) => {
    const { hash } = shelf.keep(root);
    const gathered = TreeReader.open(shelf.source, hash).then((reader) => all(reader.items()));
    await expect(gathered).rejects.toMatchObject({ code: 'invalid_argument', message: expect.stringMatching(says) });
  });

  it('is read as far as a tree may be high', async () => {
    const reader = await TreeReader.open(shelf.source, shelf.keep(tower(limits.treeHeightMax)).hash);
    expect((await all(reader.items())).length).toBe(2);
    expect(await reader.find('b')).toEqual(file('b'));
  });

  it('is refused when it counts beyond what can be counted', async () => {
    const much = { itemCount: 2 ** 53 - 1 };
    const root = shelf.keep(branch(part(ab, much), part(leaf(file('c')), much)));
    await expect(TreeReader.open(shelf.source, root.hash)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('is refused when a source closes a circle', async () => {
    // No hash function lets this be; a careless source could.
    const node = encodeNode(branch(part(ab), part(leaf(file('c')))));
    const digest = shelf.keep(branch(part(ab), part(leaf(file('c')))));
    const circle = encodeNode(
      branch({ node: { ...digest, size: node.length }, firstPath: 'a', itemCount: 3, fileBytes: 3 }),
    );
    let reader = await TreeReader.open(async () => node, digest.hash);
    await expect(all(reader.items())).rejects.toMatchObject({ code: 'invalid_argument' });
    const self = { node: { ...digest, size: circle.length }, firstPath: 'a', itemCount: 3, fileBytes: 3 };
    reader = await TreeReader.open(async () => encodeNode(branch(self)), digest.hash);
    await expect(all(reader.items())).rejects.toMatchObject({ code: 'invalid_argument', message: /levels deep/ });
  });

  it('is refused at the path in question, too', async () => {
    const root = shelf.keep(branch(part(leaf(file('a'))), part(leaf(file('a-'))), part(leaf(file('a/b'), file('c')))));
    const reader = await TreeReader.open(shelf.source, root.hash);
    await expect(all(reader.items({ path: 'a' }))).rejects.toMatchObject({ code: 'invalid_argument' });
    const lying = shelf.keep(branch(part(leaf(file('a'), file('z'))), part(ab, { firstPath: 'm' })));
    const other = await TreeReader.open(shelf.source, lying.hash);
    for (const path of ['a', 'z']) await expect(other.find(path)).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});
