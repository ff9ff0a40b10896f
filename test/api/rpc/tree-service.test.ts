// What the wire suite cannot see of TreeService: what a call costs the server, and how it ends early.

import { Code } from '@connectrpc/connect';
import { beforeAll, describe, expect, it } from 'vitest';
import { type BlobHash, hashHex } from '../../../src/base/digest.js';
import { limits } from '../../../src/base/limits.js';
import { digestBlob } from '../../../src/blake3/hasher.js';
import { buildTree } from '../../../src/tree/build-tree.js';
import { projectItems } from '../../support/trees.js';
import { useRpcServer } from './rpc-clients.js';
import { WatchedStore } from './watched-store.js';

const setUp = useRpcServer();

/** Notes the questions asked of it. */
class AskedStore extends WatchedStore {
  readonly asked: number[] = [];
  opened = 0;
  onOpen = (): void => {};

  override stat(hashes: readonly BlobHash[]) {
    this.asked.push(hashes.length);
    return super.stat(hashes);
  }

  override open(hash: BlobHash) {
    this.opened++;
    this.onOpen();
    return super.open(hash);
  }
}

describe('a tree of 50,000 files', () => {
  const count = 50_000;
  const store = new AskedStore();
  let tree: BlobHash;
  let nodes = 0;
  beforeAll(async () => {
    const { digest } = await buildTree(projectItems(count), async (_, bytes) => {
      nodes++;
      await store.write(bytes);
    });
    tree = digest.hash;
  });

  it('is checked in slices, and everybody else has a turn after each node', async () => {
    const { trees } = await setUp({ store });
    await Promise.all([...Array(count).keys()].map((i) => store.write(Buffer.from(String(i)))));
    let turns = 0;
    let counting = true;
    const countTurn = () => {
      turns++;
      if (counting) setImmediate(countTurn);
    };
    setImmediate(countTurn);
    expect(await trees.checkTree({ tree })).toMatchObject({ complete: true, missing: [] });
    counting = false;
    expect(turns).toBeGreaterThan(nodes);
    expect(Math.max(...store.asked)).toBeLessThanOrEqual(limits.lookupSliceCountMax);
    expect(store.openHandles).toBe(0);
    const gone = [...Array(500).keys()].map((i) => digestBlob(Buffer.from(String(100 * i + 7))).hash);
    await store.delete(gone);
    const { missing } = await trees.checkTree({ tree });
    expect(missing.map(({ blake3 }) => Buffer.from(blake3).toString('hex')).sort()).toEqual(gone.map(hashHex).sort());
  });

  it.each([
    { name: 'checked', call: 'checkTree' as const },
    { name: 'listed', call: 'listTree' as const },
  ])('is no longer $name once the caller is gone', async ({ call }) => {
    const { server, trees } = await setUp({ store });
    const abort = new AbortController();
    store.opened = 0;
    store.onOpen = () => {
      if (store.opened === 20) abort.abort();
    };
    const ended = trees[call]({ tree, pageSize: 10_000 }, { signal: abort.signal });
    await expect(ended).rejects.toMatchObject({ code: Code.Canceled });
    await expect.poll(() => server.calls).toMatchObject([{ code: 'canceled' }]);
    expect(store.opened).toBeLessThan(100);
    expect(store.openHandles).toBe(0);
    expect(server.errors).toEqual([]);
    store.onOpen = () => {};
  });

  it('is looked into without being read as a whole', async () => {
    const { trees } = await setUp({ store });
    store.opened = 0;
    await trees.statTree({ tree });
    expect(store.opened).toBe(1);
    await trees.listTree({ tree, path: 'node_modules/package-700', pageSize: 10 });
    const page = await trees.listTree({ tree, pageSize: 10 });
    await trees.listTree({ tree, pageSize: 10, pageToken: page.nextPageToken });
    expect(store.opened).toBeLessThan(20);
  });
});
