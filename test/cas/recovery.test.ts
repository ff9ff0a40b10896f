// What a store bears when it is opened: damage in one of the things it keeps does not take the others with it.

import { describe, expect, it } from 'vitest';
import { type BlobHash, hashesEqual, hashHex } from '../../src/base/digest.js';
import { CairnError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import type { IndexDb, IndexHome } from '../../src/cas/index-db.js';
import type { LocalStore } from '../../src/cas/local-store.js';
import type { LocalStoreOptions } from '../../src/cas/open-local-store.js';
import { crashDisk, type Disk, emptyDisk } from '../fault/machine.js';
import { openStoreIn } from '../support/local-store.js';
import { seededRandom } from '../support/random.js';

const large = limits.packedBlobBytesMax + 1;

function open(disk: Disk, options: Partial<LocalStoreOptions> = {}): Promise<LocalStore> {
  return openStoreIn('/data', { fs: disk.fs, index: disk.index.home(), ...options });
}

/** The index, in which one row cannot be read any more, until it is thrown away. */
function damaged(home: IndexHome, row: BlobHash): IndexHome & { destroyed: boolean } {
  const refuse = (hash: BlobHash) => {
    if (hashesEqual(hash, row)) throw new CairnError('corrupt', 'the index holds a damaged value');
  };
  const wrap = (index: IndexDb): IndexDb => ({
    position: () => index.position(),
    apply: async (changes, position) => {
      for (const { hash } of changes) refuse(hash);
      await index.apply(changes, position);
    },
    usage: () => index.usage(),
    rows: async (hashes) => {
      for (const hash of hashes) refuse(hash);
      return index.rows(hashes);
    },
    rowNow: (hash) => {
      refuse(hash);
      return index.rowNow(hash);
    },
    entries: () => index.entries(),
    list: (after, limit) => index.list(after, limit),
    close: () => index.close(),
  });
  const whole: IndexHome & { destroyed: boolean } = {
    destroyed: false,
    open: async () => (whole.destroyed ? home.open() : wrap(await home.open())),
    destroy: async () => {
      await home.destroy();
      whole.destroyed = true;
    },
  };
  return whole;
}

describe('a store that was not stopped', () => {
  it('makes its index anew when a row that the log has news of is damaged', async () => {
    const disk = emptyDisk(1);
    const random = seededRandom(1);
    const first = await open(disk);
    const digests = [];
    for (let i = 0; i < 5; i++) digests.push((await first.write(random.bytes(100))).digest);
    await first.close();
    const second = await open(disk);
    await second.delete([digests[1]!.hash]);
    const crashed = crashDisk(disk, 1);

    const index = damaged(crashed.index.home(), digests[1]!.hash);
    const third = await open(crashed, { index });
    expect(index.destroyed).toBe(true);
    const stats = await third.stat(digests.map(({ hash }) => hash));
    expect(stats.map((stat) => stat?.size)).toEqual([100, undefined, 100, 100, 100]);
    expect(await third.usage()).toEqual({ blobs: 4, bytes: 400 });
    await third.close();
    expect(crashed.fs.openPaths()).toEqual([]);
  });

  it('keeps both files of a blob whose record does not say which is its own', async () => {
    const disk = emptyDisk(1);
    const bytes = seededRandom(2).bytes(large);
    const first = await open(disk);
    const { digest } = await first.write(bytes);
    const small = await first.write(seededRandom(3).bytes(100));
    await first.close();
    const folder = `/data/large/${hashHex(digest.hash).slice(0, 2)}`;
    const stray = await disk.fs.create(`${folder}/${hashHex(digest.hash)}-00000000`);
    await stray.write([bytes], 0);
    await stray.close();
    const second = await open(disk);
    await second.write(seededRandom(4).bytes(100));
    const crashed = crashDisk(disk, 0);
    const files = crashed.fs.paths().filter((path) => path.startsWith(folder));
    expect(files).toHaveLength(2);
    // The record of the large blob is the first.
    crashed.fs.damage('/data/log/0000000000000001.log', (log) => {
      log[4096 + 20]! ^= 1;
    });

    const third = await open(crashed);
    expect((await third.stat([small.digest.hash]))[0]).toEqual({ size: 100 });
    await expect(third.open(digest.hash)).rejects.toMatchObject({ code: 'corrupt' });
    expect(crashed.fs.paths().filter((path) => path.startsWith(folder))).toEqual(files);
    await third.close();
  });

  it('holds nothing open of a large blob that memory durability has lost', async () => {
    const disk = emptyDisk(1);
    const first = await open(disk, { durability: 'memory' });
    const { digest } = await first.write(seededRandom(2).bytes(large));
    const path = disk.fs.paths().find((file) => file.startsWith('/data/large'))!;
    await first.close();
    await disk.fs.remove(path);
    await disk.fs.remove('/data/table.clean');
    disk.index.kill();
    await disk.index.home().destroy();

    const second = await open(disk, { durability: 'memory' });
    expect(await second.stat([digest.hash])).toEqual([undefined]);
    await second.close();
    expect(disk.fs.openPaths()).toEqual([]);
  });

  it('looks again at files that memory durability may have lost, when its first start was cut short', async () => {
    const disk = emptyDisk(1);
    const random = seededRandom(5);
    const first = await open(disk, { durability: 'memory' });
    const { digest } = await first.write(random.bytes(large));
    const path = disk.fs.paths().find((file) => file.startsWith('/data/large'))!;
    for (let i = 0; i < 17; i++) {
      const bytes = Array.from({ length: 4000 }, () => random.bytes(16));
      await first.writeMany(bytes.map((piece) => ({ digest: digestBlob(piece), bytes: piece })));
    }
    await first.close();
    for (const lost of [path, '/data/table.clean']) await disk.fs.remove(lost);
    disk.index.kill();
    await disk.index.home().destroy();
    disk.fs.unreadable = (file) => file.endsWith('.log') && disk.index.batchCount > 0;
    const cutShort = await open(disk, { durability: 'memory' }).catch(() => undefined);
    await cutShort?.close();
    disk.fs.unreadable = () => false;

    const second = await open(disk, { durability: 'memory' });
    expect(await second.stat([digest.hash])).toEqual([undefined]);
    await second.close();
  });
});
