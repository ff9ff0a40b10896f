import { describe, expect, it } from 'vitest';
import { listDirectory } from '../../../src/api/http/tree-listing.js';
import { formatHash } from '../../../src/base/digest.js';
import { limits } from '../../../src/base/limits.js';
import type { TreeItem } from '../../../src/tree/tree-item.js';
import { TreeReader } from '../../../src/tree/tree-reader.js';
import { seededRandom, testSeed } from '../../support/random.js';
import { emptyDirectory, file, link, NodeShelf, randomItems, sorted } from '../../support/trees.js';

async function readerOf(items: readonly TreeItem[]): Promise<{ reader: TreeReader; shelf: NodeShelf }> {
  const shelf = new NodeShelf();
  const { digest } = await shelf.build(sorted(items));
  return { reader: await TreeReader.open(shelf.source, digest.hash), shelf };
}

describe('listDirectory', () => {
  it('tells of each entry what a tree knows', async () => {
    const run: TreeItem = { ...file('d/run', 'run'), executable: true, readonly: true };
    const { reader } = await readerOf([run, file('d/é'), link('d/l', '../x'), emptyDirectory('d/e'), file('d/s/f')]);
    const { digest } = file('d/é');
    expect(await listDirectory(reader, 'd')).toEqual({
      entries: [
        { name: 'e', kind: 'directory' },
        { name: 'l', kind: 'symlink', target: '../x' },
        {
          name: 'run',
          kind: 'file',
          digest: formatHash(run.digest.hash),
          size: 3,
          executable: true,
          readonly: true,
        },
        { name: 's', kind: 'directory' },
        { name: 'é', kind: 'file', digest: formatHash(digest.hash), size: digest.size },
      ],
      goesOn: false,
    });
    expect(await listDirectory(reader, 'd/e')).toEqual({ entries: [], goesOn: false });
    expect(await listDirectory((await readerOf([])).reader, '')).toEqual({ entries: [], goesOn: false });
  });

  it('finds what a look at every entry finds', async () => {
    const seed = testSeed('listDirectory');
    const random = seededRandom(seed);
    for (let round = 0; round < 10; round++) {
      const items = randomItems(random, random.between(1, 400));
      const { reader } = await readerOf(items);
      const directories = new Map<string, Set<string>>([['', new Set()]]);
      for (const { path } of items) {
        const names = path.split('/');
        for (let i = 0; i < names.length; i++) {
          const parent = names.slice(0, i).join('/');
          directories.set(parent, (directories.get(parent) ?? new Set()).add(names[i]!));
        }
      }
      for (const [path, names] of directories) {
        const { entries, goesOn } = await listDirectory(reader, path);
        expect(goesOn).toBe(false);
        expect(entries.map(({ name }) => name).sort()).toEqual([...names].sort());
      }
    }
  });

  it('passes over what lies in directories, and is not led astray by their neighbours', async () => {
    const below = Array.from({ length: 20_000 }, (_, i) => file(`d/x/${i}`));
    const { reader, shelf } = await readerOf([...below, file('d/x!'), file('d/x0'), file('d/x00'), file('d/y')]);
    shelf.reads = [];
    const { entries } = await listDirectory(reader, 'd');
    expect(entries.map(({ name }) => name)).toEqual(['x!', 'x', 'x0', 'x00', 'y']);
    expect(shelf.reads.length).toBeLessThan(12);
  });

  it('ends where it gets long, and says so', async () => {
    const many = Array.from({ length: limits.treeListingCountMax + 1 }, (_, i) => file(`${i}`));
    const full = await listDirectory((await readerOf(many)).reader, '');
    expect([full.entries.length, full.goesOn]).toEqual([limits.treeListingCountMax, true]);
    const whole = await listDirectory((await readerOf(many.slice(1))).reader, '');
    expect([whole.entries.length, whole.goesOn]).toEqual([limits.treeListingCountMax, false]);
    const long = Array.from({ length: 1000 }, (_, i) => link(`${i}`, 'x'.repeat(4000)));
    const cut = await listDirectory((await readerOf(long)).reader, '');
    expect(cut.goesOn).toBe(true);
    expect(JSON.stringify(cut).length).toBeLessThan(limits.answerBytesMax);
  });
});
