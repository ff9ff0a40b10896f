import { describe, expect, it } from 'vitest';
import { emptyDigest, hashHex, toDigest } from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import { treeBlobs } from '../../src/tree/tree-blobs.js';
import type { TreeItem } from '../../src/tree/tree-item.js';
import { all, branch, emptyDirectory, file, leaf, link, NodeShelf, projectItems } from '../support/trees.js';

async function hexes(shelf: NodeShelf, root: Parameters<typeof treeBlobs>[1]) {
  const batches = await all(treeBlobs(shelf.source, root));
  const gather = (part: 'nodes' | 'missingNodes' | 'files') =>
    batches.flatMap((batch) => batch[part]).map(({ hash }) => hashHex(hash));
  return { batches, nodes: gather('nodes'), missing: gather('missingNodes'), files: gather('files') };
}

function filesOf(items: readonly TreeItem[]): string[] {
  return items.flatMap((item) => (item.kind === 'file' ? [hashHex(item.digest.hash)] : []));
}

describe('treeBlobs', () => {
  it('names every node and every file, in batches', async () => {
    const items = projectItems(10_000);
    const shelf = new NodeShelf();
    const { digest } = await shelf.build(items);
    const { batches, nodes, missing, files } = await hexes(shelf, digest.hash);
    expect(nodes.sort()).toEqual([...shelf.nodes.keys()].sort());
    expect(files).toEqual(filesOf(items));
    expect(missing).toEqual([]);
    expect(batches.length).toBeGreaterThan(1);
    for (const batch of batches) {
      expect(batch.nodes.length + batch.files.length).toBeLessThanOrEqual(limits.treeBlobsBatchCountMax);
      for (const node of batch.nodes) expect(shelf.nodes.get(hashHex(node.hash))!.length).toBe(node.size);
    }
  });

  it('names equal files once, and nothing for links and directories', async () => {
    const shelf = new NodeShelf();
    const { digest } = await shelf.build([
      file('a', 1),
      file('b', 1),
      emptyDirectory('c'),
      link('d', 'a'),
      file('e', 2),
    ]);
    const { nodes, files } = await hexes(shelf, digest.hash);
    expect(nodes).toEqual([hashHex(digest.hash)]);
    expect(files).toEqual(filesOf([file('a', 1), file('e', 2)]));
  });

  it('names a hash under each size it is claimed to have', async () => {
    const shelf = new NodeShelf();
    const honest = file('a', 1);
    const lie = { ...file('b', 1), digest: toDigest(honest.digest.hash, honest.digest.size + 1) };
    const { digest } = await shelf.build([honest, lie]);
    const [batch] = await all(treeBlobs(shelf.source, digest.hash));
    expect(batch!.files.map(({ size }) => size)).toEqual([honest.digest.size, honest.digest.size + 1]);
  });

  it('goes on past nodes that are missing', async () => {
    const items = projectItems(2000);
    const shelf = new NodeShelf();
    const { digest } = await shelf.build(items);
    const leaves = shelf.stored.slice(0, -1).filter((_, i) => i % 5 === 0);
    for (const { hash } of leaves) shelf.nodes.delete(hashHex(hash));
    const { nodes, missing, files } = await hexes(shelf, digest.hash);
    const lost = new Set(leaves.map(({ hash }) => hashHex(hash)));
    expect(missing.length).toBeGreaterThan(5);
    for (const hex of missing) expect(lost).toContain(hex);
    for (const hex of nodes) expect(lost).not.toContain(hex);
    expect(files.length).toBeLessThan(2000);
    expect(files.length).toBeGreaterThan(100);
  });

  it('reads the empty tree', async () => {
    const shelf = new NodeShelf();
    await shelf.build([]);
    expect(await all(treeBlobs(shelf.source, emptyDigest.hash))).toEqual([
      { nodes: [emptyDigest], missingNodes: [], files: [] },
    ]);
  });

  it('refuses what is not well formed, and a root that is not there', async () => {
    const shelf = new NodeShelf();
    const root = shelf.keep(branch(shelf.keepPart(leaf(file('a'))), shelf.keepPart(leaf(file('a/b')))));
    await expect(all(treeBlobs(shelf.source, root.hash))).rejects.toMatchObject({ code: 'invalid_argument' });
    shelf.nodes.clear();
    await expect(all(treeBlobs(shelf.source, root.hash))).rejects.toMatchObject({ code: 'not_found' });
  });
});
