// cairn.v1.TreeService, whichever way it is spoken to.

import { Code } from '@connectrpc/connect';
import { beforeAll, describe, expect, it } from 'vitest';
import type { BlobHash } from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import type { VirtualFsItem } from '../../src/gen/zako/v1/fs/fs_pb.js';
import type { TreeItem } from '../../src/tree/tree-item.js';
import { encodeNode } from '../../src/tree/tree-node.js';
import { emptyDirectory, file, link, sorted } from '../support/trees.js';
import { freshBlob, namedBlob, type TestBlob } from './wire-blobs.js';
import { expectCode, type WireCaller, wireDigest } from './wire-caller.js';
import type { Face } from './wire-faces.js';
import { type BuiltTree, builtTree, keepBlobs, plantTree } from './wire-plant.js';

const many = Array.from({ length: 2500 }, (_, i) => file(`d${i % 7}/f${i}`, i));
const changed = many.filter((_, i) => i % 5 !== 0).map((item, i) => (i % 50 ? item : { ...item, executable: true }));
/** Built once for all faces. */
const manyBuilt = builtTree(many);
const changedBuilt = builtTree([...changed, file('new', 'new')]);

const pathsOf = (items: readonly VirtualFsItem[]) => items.map(({ relativePath }) => relativePath);

export function treeServiceSuite(face: Face, caller: () => WireCaller): void {
  const kept = (blobs: readonly TestBlob[]) => keepBlobs(caller(), blobs);
  const planted = (tree: BuiltTree | readonly TreeItem[]) => plantTree(caller(), tree);

  describe('TreeService', () => {
    let tree: BlobHash;
    beforeAll(async () => {
      tree = await planted(await manyBuilt);
    });

    it('StatTree counts entries and bytes', async () => {
      const fileBytes = many.reduce((sum, item) => sum + item.digest.size, 0);
      expect(await caller().trees.statTree({ tree })).toMatchObject({ itemCount: 2500n, fileBytes: BigInt(fileBytes) });
      const empty = await planted([]);
      expect(await caller().trees.statTree({ tree: empty })).toMatchObject({ itemCount: 0n, fileBytes: 0n });
    });

    it('ListTree tells entries of every kind', async () => {
      const { digest } = namedBlob(Buffer.from('a'));
      const message = { sizeBytes: 1n, blake3: new Uint8Array(digest.hash) };
      const small = await planted([
        { kind: 'file', path: 'ä/run', digest, executable: true, readonly: true },
        { kind: 'file', path: 'plain', digest, executable: false, readonly: false },
        link('ä/link', '../plain'),
        emptyDirectory('nothing'),
      ]);
      const { items, nextPageToken, totalCount } = await caller().trees.listTree({ tree: small });
      expect([nextPageToken, totalCount]).toEqual(['', 4n]);
      const plainFlags = { isExecutable: false, isReadonly: false };
      expect(items).toMatchObject([
        { relativePath: 'nothing', item: { case: 'emptyDirectory', value: true }, ...plainFlags },
        { relativePath: 'plain', item: { case: 'digest', value: message }, ...plainFlags },
        { relativePath: 'ä/link', item: { case: 'symlinkTarget', value: '../plain' }, ...plainFlags },
        { relativePath: 'ä/run', item: { case: 'digest', value: message }, isExecutable: true, isReadonly: true },
      ]);
    });

    it.each([
      { path: '', pageSize: 999, want: many },
      { path: 'd3', pageSize: 100, want: many.filter(({ path }) => path.startsWith('d3/')) },
      { path: 'd3/f3', pageSize: 1, want: many.filter(({ path }) => path === 'd3/f3') },
      { path: 'd', pageSize: 0, want: [] },
    ])('ListTree pages through "$path" by $pageSize', async ({ path, pageSize, want }) => {
      const listed: string[] = [];
      let pageToken = '';
      do {
        const page = await caller().trees.listTree({ tree, path, pageSize, pageToken });
        expect(page.items.length === pageSize || page.nextPageToken === '').toBe(true);
        expect(page.totalCount).toBe(2500n);
        listed.push(...pathsOf(page.items));
        pageToken = page.nextPageToken;
      } while (pageToken !== '');
      expect(listed).toEqual(sorted(want).map((item) => item.path));
    });

    it('ListTree gives 1,000 entries unless asked for others', async () => {
      expect((await caller().trees.listTree({ tree })).items).toHaveLength(limits.listPageCountDefault);
      expect((await caller().trees.listTree({ tree, pageSize: 1_000_000 })).items).toHaveLength(2500);
    });

    it('DiffTrees tells what was added, removed and changed, in pages', async () => {
      const other = await planted(await changedBuilt);
      const seen = new Map<string, string>();
      let pageToken = '';
      do {
        const page = await caller().trees.diffTrees({ oldTree: tree, newTree: other, pageSize: 100, pageToken });
        expect(page.changes.length === 100 || page.nextPageToken === '').toBe(true);
        for (const { oldItem, newItem } of page.changes) {
          const path = (oldItem ?? newItem)!.relativePath;
          expect(seen.has(path)).toBe(false);
          seen.set(path, oldItem === undefined ? 'new' : newItem === undefined ? 'gone' : 'changed');
          if (oldItem && newItem) expect([oldItem.isExecutable, newItem.isExecutable]).toEqual([false, true]);
        }
        pageToken = page.nextPageToken;
      } while (pageToken !== '');
      const counts = (what: string) => [...seen.values()].filter((value) => value === what).length;
      expect([counts('new'), counts('gone'), counts('changed')]).toEqual([1, 500, 40]);
      const same = await caller().trees.diffTrees({ oldTree: tree, newTree: tree });
      expect([same.changes, same.nextPageToken]).toEqual([[], '']);
    });

    it('CheckTree names missing files, each once, and missing nodes', async () => {
      const [here, gone] = [await caller().stored(freshBlob(30)), freshBlob(40)];
      const item = (path: string, { digest }: TestBlob): TreeItem => ({ ...file(path), digest });
      const whole = await planted([item('a', here), item('b', here), link('c', 'a'), emptyDirectory('d')]);
      expect(await caller().trees.checkTree({ tree: whole })).toMatchObject({ complete: true, missing: [] });
      const torn = await planted([item('a', here), item('b', gone), item('c', gone)]);
      const answer = await caller().trees.checkTree({ tree: torn });
      expect(answer).toMatchObject({ complete: false, missing: [wireDigest(gone.message)] });
      const wrongSize = { ...here.digest, size: 31 };
      const claiming = await planted([{ ...file('a'), digest: wrongSize }]);
      expect((await caller().trees.checkTree({ tree: claiming })).missing.map(({ sizeBytes }) => sizeBytes)).toEqual([
        31n,
      ]);
      const most = await caller().trees.checkTree({ tree });
      expect([most.complete, most.missing.length]).toEqual([false, limits.treeMissingCountMax]);

      const { root, nodes } = await builtTree(Array.from({ length: 500 }, (_, i) => item(`${face.name} ${i}`, here)));
      expect(nodes.length).toBeGreaterThan(2);
      await Promise.all(nodes.slice(1).map((node) => caller().stored(node)));
      const holed = await caller().trees.checkTree({ tree: root });
      expect(holed).toMatchObject({ complete: false, missing: [wireDigest(nodes[0]!.message)] });
      await expectCode(Code.NotFound, caller().trees.listTree({ tree: root }));
    });

    it('refuses page sizes below zero, foreign tokens and paths that no tree has', async () => {
      const { trees } = caller();
      const invalid = (call: Promise<unknown>) => expectCode(Code.InvalidArgument, call);
      const { nextPageToken } = await trees.listTree({ tree, path: 'd1', pageSize: 1 });
      const small = await planted([file('a')]);
      await invalid(trees.listTree({ tree, pageSize: -1 }));
      await invalid(trees.listTree({ tree, pageToken: nextPageToken }));
      await invalid(trees.listTree({ tree: small, path: 'd1', pageToken: nextPageToken }));
      await invalid(trees.listTree({ tree, path: 'd1', pageToken: 'next' }));
      for (const path of ['/d1', 'd1/', '../d1', 'a\0b']) await invalid(trees.listTree({ tree, path }));
      await invalid(trees.diffTrees({ oldTree: tree, newTree: small, pageSize: -1 }));
      await invalid(trees.diffTrees({ oldTree: tree, newTree: small, pageToken: nextPageToken }));
    });

    it('tells trees that are absent, that are none, and names of none', async () => {
      const { trees } = caller();
      const { blake3: gone } = freshBlob(10).message;
      const { blake3: noTree } = (await caller().stored(freshBlob(1000))).message;
      const { blake3: large } = (await caller().stored(freshBlob(100_000))).message;
      const unsorted = swapped(sorted(many.slice(0, 2)));
      await kept([unsorted]);
      for (const { hash, code } of [
        { hash: gone, code: Code.NotFound },
        { hash: noTree, code: Code.InvalidArgument },
        { hash: large, code: Code.InvalidArgument },
        { hash: unsorted.message.blake3, code: Code.InvalidArgument },
        { hash: new Uint8Array(31), code: Code.InvalidArgument },
      ]) {
        await expectCode(code, trees.statTree({ tree: hash }));
        await expectCode(code, trees.listTree({ tree: hash }));
        await expectCode(code, trees.checkTree({ tree: hash }));
        await expectCode(code, trees.diffTrees({ oldTree: hash, newTree: tree }));
        await expectCode(code, trees.diffTrees({ oldTree: tree, newTree: hash }));
        await expectCode(code, trees.diffTrees({ oldTree: hash, newTree: hash }));
      }
    });
  });
}

/** A leaf whose two entries stand in the wrong order. */
function swapped(items: readonly TreeItem[]): TestBlob {
  return namedBlob(encodeNode({ kind: 'leaf', items: items.toReversed() }));
}
