import { describe, expect, it } from 'vitest';
import { emptyDigest } from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { buildTree } from '../../src/tree/build-tree.js';
import { nodesOf } from '../../src/tree/node-source.js';
import { TreeReader } from '../../src/tree/tree-reader.js';
import { all, projectItems } from '../support/trees.js';

describe('nodesOf', () => {
  it('reads a tree out of a store', async () => {
    const store = new MemoryStore();
    const items = projectItems(1000);
    const root = await buildTree(items, async (digest, bytes) => void (await store.write(bytes, { expect: digest })));
    const reader = await TreeReader.open(nodesOf(store), root.digest.hash);
    expect(await all(reader.items())).toEqual(items);
    expect((await TreeReader.open(nodesOf(store), emptyDigest.hash)).itemCount).toBe(0);
  });

  it('has nothing for what the store does not have', async () => {
    expect(await nodesOf(new MemoryStore())(digestBlob(Uint8Array.of(1)).hash)).toBeUndefined();
  });

  it('refuses large blobs unread', async () => {
    const store = new MemoryStore();
    const { digest } = await store.write(new Uint8Array(limits.treeNodeBytesMax + 1));
    await expect(nodesOf(store)(digest.hash)).rejects.toMatchObject({ code: 'invalid_argument' });
    const { digest: most } = await store.write(new Uint8Array(limits.treeNodeBytesMax));
    expect((await nodesOf(store)(most.hash))?.length).toBe(limits.treeNodeBytesMax);
  });
});
