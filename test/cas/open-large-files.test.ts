// Files of large blobs that stay open between readers: when they are shared, when they are closed, and that no deleted or
// damaged byte comes out of them. For the store itself and for a thread beside it.

import { open, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BlobHandle, BlobStore } from '../../src/base/blob-store.js';
import { type BlobHash, type Digest, hashHex } from '../../src/base/digest.js';
import { errorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { systemRandom } from '../../src/base/random.js';
import type { LocalStore } from '../../src/cas/local-store.js';
import { SharedStore } from '../../src/cas/shared-store.js';
import type { SharedChange } from '../../src/cas/store-owner.js';
import type { FileSystem, OpenFile } from '../../src/log/file-system.js';
import { nodeFileSystem } from '../../src/log/node-file-system.js';
import { openStoreIn, withDirectory } from '../support/local-store.js';
import { ManualClock } from '../support/manual-clock.js';
import { seededRandom } from '../support/random.js';

const { blockBytes } = limits;
const size = 6 * blockBytes + 10;
const [bytes, otherBytes] = [seededRandom(1).bytes(size), seededRandom(2).bytes(size)];

/** Knows which files are open. */
class WatchedFiles {
  readonly paths: string[] = [];
  /** Large blobs' files that were opened for reading so far. */
  opened = 0;

  readonly fs: FileSystem = {
    ...nodeFileSystem,
    create: async (path) => this.#watched(await nodeFileSystem.create(path)),
    open: async (path, mode) => {
      const file = await nodeFileSystem.open(path, mode);
      if (file !== undefined && mode === 'read' && isLarge(path)) this.opened++;
      return file && this.#watched(file);
    },
  };

  #watched(file: OpenFile): OpenFile {
    const { paths } = this;
    paths.push(file.path);
    let isOpen = true;
    return {
      path: file.path,
      fd: file.fd,
      size: () => file.size(),
      read: (target, position) => file.read(target, position),
      readNow: (target, position) => file.readNow?.(target, position),
      write: (pieces, position) => file.write(pieces, position),
      truncate: (length) => file.truncate(length),
      sync: () => file.sync(),
      async close() {
        if (isOpen) paths.splice(paths.indexOf(file.path), 1);
        isOpen = false;
        await file.close();
      },
    };
  }

  get large(): number {
    return this.paths.filter(isLarge).length;
  }
}

function isLarge(path: string): boolean {
  return path.includes('/large/');
}

interface Bench {
  readonly directory: string;
  /** Where blobs are opened. */
  readonly store: BlobStore;
  /** Where they are written and deleted. */
  readonly owner: LocalStore;
  readonly clock: ManualClock;
  /** Of `store` alone, when that is not the owner. */
  readonly files: WatchedFiles;
}

async function withStore(kind: 'owner' | 'beside', body: (bench: Bench) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    const clock = new ManualClock();
    const files = new WatchedFiles();
    const owner = await openStoreIn(directory, {
      clock,
      durability: 'memory',
      segmentBytesTarget: 256 * 1024,
      maintenanceIntervalMilliseconds: 1,
      ...(kind === 'owner' && { fs: files.fs }),
    });
    let beside: SharedStore | undefined;
    if (kind === 'beside') {
      const { parts, owner: asked } = owner.share((change) => beside?.changed(change));
      beside = new SharedStore({ shared: parts, owner: asked, fs: files.fs, clock, random: systemRandom });
    }
    await body({ directory, store: beside ?? owner, owner, clock, files });
    await beside?.close();
    await owner.close();
    expect(files.paths.filter(isLarge)).toEqual([]);
  });
}

async function opened(store: BlobStore, { hash }: Digest): Promise<BlobHandle> {
  const handle = await store.open(hash);
  expect(handle).toBeDefined();
  return handle!;
}

async function expectRange(handle: BlobHandle, of: Uint8Array, start: number, end: number): Promise<void> {
  expect(Buffer.compare(await handle.read({ start, end }), of.subarray(start, end))).toBe(0);
}

async function readOnce(store: BlobStore, digest: Digest, of = bytes): Promise<void> {
  const handle = await opened(store, digest);
  await expectRange(handle, of, blockBytes - 7, 2 * blockBytes + 7);
  await handle.close();
}

function filesOf(directory: string, hash: BlobHash): Promise<string[]> {
  return readdir(join(directory, 'large', hashHex(hash).slice(0, 2)));
}

/** Resolves once a condition holds that nobody announces. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'ok',
    (error: unknown) => errorCode(error),
  );
}

describe.each(['owner', 'beside'] as const)('OpenLargeFiles, of a store (%s)', (kind) => {
  it('opens a file once for all its readers', () =>
    withStore(kind, async ({ store, owner, files }) => {
      const { digest } = await owner.write(bytes);
      await readOnce(store, digest);
      await Promise.all(Array.from({ length: 20 }, () => readOnce(store, digest)));
      expect(files).toMatchObject({ opened: 1, large: 1 });
    }));

  it('ends up with one file when many open it at once', () =>
    withStore(kind, async ({ store, owner, files }) => {
      const { digest } = await owner.write(bytes);
      await Promise.all(Array.from({ length: 20 }, () => readOnce(store, digest)));
      expect(files.large).toBe(1);
    }));

  it('closes a file that nobody has read for long, and no other', () =>
    withStore(kind, async ({ store, owner, clock, files }) => {
      const idle = limits.openLargeFileIdleMilliseconds;
      const [one, other] = [(await owner.write(bytes)).digest, (await owner.write(otherBytes)).digest];
      await readOnce(store, one);
      const held = await opened(store, other);
      clock.advance(idle - 1);
      await readOnce(store, one);
      expect(files.opened).toBe(2);
      clock.advance(idle - 1);
      await readOnce(store, one);
      expect(files.opened).toBe(2);
      clock.advance(2 * idle);
      await until(() => files.large === 1);
      await expectRange(held, otherBytes, 0, size);
      await held.close();
      expect(files.large).toBe(1);
      clock.advance(idle);
      await until(() => files.large === 0);
      await readOnce(store, one);
      expect(files.opened).toBe(3);
    }));

  it('serves no deleted blob, and frees its file at once', () =>
    withStore(kind, async ({ directory, store, owner, files }) => {
      const { digest } = await owner.write(bytes);
      await readOnce(store, digest);
      expect(await owner.delete([digest.hash])).toEqual([true]);
      expect(await store.open(digest.hash)).toBeUndefined();
      await until(() => files.large === 0);
      await owner.close();
      expect(await filesOf(directory, digest.hash)).toEqual([]);
    }));

  it('lets a reader finish when the blob is deleted and stored again, and no new one join it', () =>
    withStore(kind, async ({ store, owner, files }) => {
      const { digest } = await owner.write(bytes);
      const held = await opened(store, digest);
      const reading = expectRange(held, bytes, 0, size);
      await owner.delete([digest.hash]);
      await reading;
      expect(await store.open(digest.hash)).toBeUndefined();
      await owner.write(bytes);
      const second = await opened(store, digest);
      expect(second.localPath).not.toBe(held.localPath);
      await expectRange(held, bytes, 100, size - 100);
      expect(files.large).toBe(2);
      await held.close();
      expect(files.large).toBe(1);
      await expectRange(second, bytes, 0, size);
      await second.close();
    }));

  it('keeps no blob open that is deleted while it is being opened', () =>
    withStore(kind, async ({ store, owner, files }) => {
      for (let round = 0; round < 20; round++) {
        const { digest } = await owner.write(bytes);
        const opening = store.open(digest.hash);
        for (let turns = 0; turns < round; turns++) await Promise.resolve();
        await owner.delete([digest.hash]);
        const handle = await opening;
        if (handle !== undefined) await expectRange(handle, bytes, 0, size);
        await handle?.close();
        await until(() => files.large === 0);
      }
    }));

  it('finds damage that came after a block was read, and opens the file anew', () =>
    withStore(kind, async ({ store, owner, files }) => {
      const { digest } = await owner.write(bytes);
      const handle = await opened(store, digest);
      const at = 2 * blockBytes + 3;
      await expectRange(handle, bytes, at, at + 1);
      await expectRange(handle, bytes, at, at + 1);
      await flip(handle.localPath!, at + 100);
      expect(await codeOf(handle.read({ start: at, end: at + 1 }))).toBe('corrupt');
      expect(await codeOf(handle.read({ start: 0, end: size }))).toBe('corrupt');
      await expectRange(handle, bytes, 3 * blockBytes, size);
      await flip(handle.localPath!, at + 100);
      await expectRange(handle, bytes, at, at + 1);
      const { localPath } = handle;
      await handle.close();
      await readOnce(store, digest);
      expect(files.opened).toBe(2);
      await writeFile(localPath!, bytes.subarray(0, 10));
      const cut = await opened(store, digest);
      expect(await codeOf(cut.read({ start: blockBytes, end: blockBytes + 1 }))).toBe('corrupt');
      await cut.close();
      expect(await codeOf(store.open(digest.hash))).toBe('corrupt');
    }));

  it('stays readable for who has it when its store closes, and is closed then', () =>
    withStore(kind, async ({ store, owner, files }) => {
      const { digest } = await owner.write(bytes);
      const held = await opened(store, digest);
      await readOnce(store, (await owner.write(otherBytes)).digest, otherBytes);
      await store.close();
      expect(files.large).toBe(1);
      await expectRange(held, bytes, 0, size);
      await held.close();
      expect(files.large).toBe(0);
    }));

  it('keeps a bounded number open, and refuses nobody beyond it', () =>
    withStore(kind, async ({ store, owner, files }) => {
      const count = limits.openLargeFilesCountMax + 3;
      const all = Array.from({ length: count }, (_, i) => {
        const one = bytes.slice(0, 2 * blockBytes + 7);
        new DataView(one.buffer).setUint32(0, i);
        return one;
      });
      const digests = (await Promise.all(all.map((one) => owner.write(one)))).map(({ digest }) => digest);
      const held: BlobHandle[] = [];
      for (const digest of digests) held.push(await opened(store, digest));
      expect(files.large).toBe(count);
      for (const [i, handle] of held.entries()) await expectRange(handle, all[i]!, 5, blockBytes + 5);
      for (const handle of held) await handle.close();
      expect(files.large).toBe(limits.openLargeFilesCountMax);
      // The longest unused makes room.
      await readOnce(store, digests.at(-1)!, all.at(-1)!);
      await until(() => files.large === limits.openLargeFilesCountMax);
      const before = files.opened;
      await readOnce(store, digests[1]!, all[1]!);
      expect(files.opened).toBe(before);
      await readOnce(store, digests[0]!, all[0]!);
      expect(files.opened).toBe(before + 1);
    }));

  it('holds no segment that compaction has emptied, and finds the blob where it went', () =>
    withStore(kind, async ({ directory, store, owner, clock, files }) => {
      const { digest } = await owner.write(bytes);
      const { digest: other } = await owner.write(otherBytes);
      const small = seededRandom(3).bytes(4096);
      const dead: BlobHash[] = [];
      for (let i = 0; i < 200; i++) {
        small[0] = i;
        dead.push((await owner.write(small)).digest.hash);
      }
      await readOnce(store, digest);
      const handle = await opened(store, digest);
      await expectRange(handle, bytes, 0, 10);
      // Not read, its checksums are still in the log alone.
      await (await opened(store, other)).close();
      await owner.delete(dead);
      const log = join(directory, 'log');
      const [segment] = await readdir(log);
      await until(async () => {
        clock.advance(1);
        await new Promise((resolve) => setImmediate(resolve));
        return !(await readdir(log)).includes(segment!);
      });
      await until(() => !files.paths.some((path) => path.endsWith(segment!)));
      await expectRange(handle, bytes, 0, size);
      await handle.close();
      await readOnce(store, digest);
      await readOnce(store, digest);
      await until(() => files.large === 1);
    }));
});

it('takes a blob that was stored again for another, also before it hears that the first was deleted', () =>
  withDirectory(async (directory) => {
    const files = new WatchedFiles();
    const owner = await openStoreIn(directory);
    const late: SharedChange[] = [];
    const { parts, owner: asked } = owner.share((change) => void late.push(change));
    const clock = new ManualClock();
    const store = new SharedStore({ shared: parts, owner: asked, fs: files.fs, clock, random: systemRandom });
    const { digest } = await owner.write(bytes);
    await readOnce(store, digest);
    await owner.delete([digest.hash]);
    expect(await store.open(digest.hash)).toBeUndefined();
    await owner.write(bytes);
    await readOnce(store, digest);
    expect(files.opened).toBe(2);
    for (const change of late) store.changed(change);
    await readOnce(store, digest);
    await store.close();
    await owner.close();
    expect(files.large).toBe(0);
  }));

async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0]! ^= 1;
  await file.write(byte, 0, 1, at);
  await file.close();
}
