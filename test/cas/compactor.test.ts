// Compaction gives space back and changes nothing else: what is there stays, what was deleted stays deleted.

import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.js';
import type { BlobHash } from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import type { LocalStore } from '../../src/cas/local-store.js';
import { emptyDisk } from '../fault/machine.js';
import { openStoreIn, withDirectory } from '../support/local-store.js';
import { seededRandom } from '../support/random.js';

/** Runs what was put off when it is told to. */
class StoppedClock implements Clock {
  readonly now = systemClock.now;
  readonly monotonic = systemClock.monotonic;
  #waiting: (() => void)[] = [];

  after(_milliseconds: number, callback: () => void): () => void {
    this.#waiting.push(callback);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== callback);
    };
  }

  /** One round of maintenance; resolves when the next one is put off. */
  async round(): Promise<void> {
    for (const callback of this.#waiting.splice(0)) callback();
    while (this.#waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function logBytes(directory: string): Promise<number> {
  const log = join(directory, 'log');
  const sizes = await Promise.all((await readdir(log)).map(async (name) => (await stat(join(log, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

const size = 4096;
const random = seededRandom(7);
const all = Array.from({ length: 1500 }, () => random.bytes(size));
const hashes: BlobHash[] = all.map((bytes) => digestBlob(bytes).hash);
const isKept = (index: number) => index % 10 === 0;

async function expectKeptAlone(store: LocalStore): Promise<void> {
  const stats = await store.stat(hashes);
  expect(stats.map((found) => found !== undefined)).toEqual(all.map((_, index) => isKept(index)));
  for (const [index, hash] of hashes.entries()) {
    if (!isKept(index)) continue;
    const handle = (await store.open(hash))!;
    expect(Buffer.compare(await handle.read({ start: 0, end: size }), all[index]!)).toBe(0);
    await handle.close();
  }
}

describe('Compactor', () => {
  it('gives back the space of dead records, and the log alone still tells the same', () =>
    withDirectory(async (directory) => {
      const clock = new StoppedClock();
      const options = { clock, segmentBytesTarget: 256 * 1024 };
      let store = await openStoreIn(directory, options);
      const held = all.length - 1;
      await Promise.all(all.map((bytes) => store.write(bytes)));
      const handle = (await store.open(hashes[held]!))!;
      const before = await logBytes(directory);
      await store.delete(hashes.filter((_, index) => !isKept(index)));
      for (let i = 0; i < 60; i++) await clock.round();
      expect(await logBytes(directory)).toBeLessThan(before / 4);
      expect(Buffer.compare(await handle.read({ start: 0, end: size }), all[held]!)).toBe(0);
      await handle.close();
      await expectKeptAlone(store);
      await store.close();

      for (const derived of ['index', 'table.clean']) await rm(join(directory, derived), { recursive: true });
      store = await openStoreIn(directory, options);
      await expectKeptAlone(store);
      await store.close();
    }));

  it('keeps a tombstone as long as an older segment holds what it kills', () =>
    withDirectory(async (directory) => {
      const clock = new StoppedClock();
      const options = { clock, segmentBytesTarget: 64 * 1024 };
      let store = await openStoreIn(directory, options);
      const write = (from: number, to: number) => Promise.all(all.slice(from, to).map((bytes) => store.write(bytes)));
      // The first segment stays, with one dead blob. Its tombstone begins the second, which is compacted.
      await write(0, 16);
      await store.delete([hashes[0]!]);
      await write(16, 32);
      await write(32, 48);
      await store.delete(hashes.slice(16, 32));
      for (let i = 0; i < 5; i++) await clock.round();
      const names = (await readdir(join(directory, 'log'))).map((name) => Number.parseInt(name, 16));
      expect(names).toContain(1);
      expect(names).not.toContain(2);
      await store.close();

      for (const derived of ['index', 'table.clean']) await rm(join(directory, derived), { recursive: true });
      store = await openStoreIn(directory, options);
      expect(await store.stat(hashes.slice(0, 2))).toEqual([undefined, { size }]);
      await store.close();
    }));

  it('lets tombstones go when nothing is left that they could kill', () =>
    withDirectory(async (directory) => {
      const clock = new StoppedClock();
      const store = await openStoreIn(directory, { clock, segmentBytesTarget: 64 * 1024 });
      const few = all.slice(0, 100);
      for (let round = 0; round < 5; round++) {
        await Promise.all(few.map((bytes) => store.write(bytes)));
        await store.delete(hashes.slice(0, few.length));
        for (let i = 0; i < 40; i++) await clock.round();
      }
      // What remains: the segment in use, and tombstones of the last round at most.
      expect(await logBytes(directory)).toBeLessThan(4 * 64 * 1024);
      expect((await store.usage()).blobs).toBe(0);
      await store.close();
    }));

  it('moves references to large blobs without touching their files', () =>
    withDirectory(async (directory) => {
      const clock = new StoppedClock();
      const store = await openStoreIn(directory, { clock, segmentBytesTarget: 64 * 1024 });
      const large = seededRandom(8).bytes(limits.packedBlobBytesMax + 1);
      const { digest } = await store.write(large);
      const opened = (await store.open(digest.hash))!;
      await Promise.all(all.slice(0, 40).map((bytes) => store.write(bytes)));
      await store.delete(hashes.slice(0, 40));
      for (let i = 0; i < 10; i++) await clock.round();
      const again = (await store.open(digest.hash))!;
      expect(again.localPath).toBe(opened.localPath);
      expect(Buffer.compare(await again.read({ start: 0, end: large.length }), large)).toBe(0);
      expect(Buffer.compare(await opened.read({ start: 0, end: large.length }), large)).toBe(0);
      await Promise.all([again.close(), opened.close()]);
      await store.close();
    }));

  describe('beside a damaged segment', () => {
    const segment = (id: number) => `/data/log/${id.toString(16).padStart(16, '0')}.log`;
    const idOf = (path: string) => Number.parseInt(basename(path), 16);

    it('does not move the others round and round for the sake of their tombstones', async () => {
      const clock = new StoppedClock();
      const { fs, index } = emptyDisk(1);
      const store = await openStoreIn('/data', { fs, index: index.home(), clock, segmentBytesTarget: 64 * 1024 });
      await Promise.all(all.slice(0, 16).map((bytes) => store.write(bytes)));
      fs.damage(segment(1), (bytes) => {
        bytes[4096 + 20]! ^= 1;
      });
      const tiny = await Promise.all(Array.from({ length: 2000 }, () => store.write(random.bytes(8))));
      await store.delete(tiny.map(({ digest }) => digest.hash));
      for (let round = 0; round < 20; round++) await clock.round();
      const settled = fs.operations;
      for (let round = 0; round < 20; round++) await clock.round();
      expect(fs.operations).toBe(settled);
      await store.close();
    });

    it('goes on with the others when one cannot be read at all', async () => {
      const clock = new StoppedClock();
      const { fs, index } = emptyDisk(1);
      const store = await openStoreIn('/data', { fs, index: index.home(), clock, segmentBytesTarget: 64 * 1024 });
      for (let from = 0; from < 64; from += 16) {
        await Promise.all(all.slice(from, from + 16).map((bytes) => store.write(bytes)));
      }
      await store.delete(hashes.slice(0, 31));
      fs.unreadable = (path, position) => path === segment(1) && position >= 4096;
      for (let round = 0; round < 10; round++) await clock.round();
      const left = fs
        .paths()
        .filter((path) => path.endsWith('.log'))
        .map(idOf);
      expect(left).toContain(1);
      expect(left).not.toContain(2);
      await store.close();
    });
  });
});
