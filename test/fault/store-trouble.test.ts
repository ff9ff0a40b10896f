// A store beside a disk that is slow or fails, in the few places where that must not matter.

import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { type BlobHash, hashHex } from '../../src/base/digest.js';
import { CairnError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { systemRandom } from '../../src/base/random.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import type { BlobRow } from '../../src/cas/blob-table.js';
import type { LocalStore } from '../../src/cas/local-store.js';
import type { LocalStoreOptions } from '../../src/cas/open-local-store.js';
import { SharedStore } from '../../src/cas/shared-store.js';
import type { OpenFile } from '../../src/log/file-system.js';
import { FaultFileSystem } from '../support/fault-file-system.js';
import { openStoreIn } from '../support/local-store.js';
import { seededRandom } from '../support/random.js';
import { crashDisk, type Disk, emptyDisk } from './machine.js';

const large = limits.packedBlobBytesMax + 1;

/** Closing a large blob's file goes as the test says. */
class ClosesBadly extends FaultFileSystem {
  closing: () => Promise<void> = async () => {};

  override async open(path: string, mode: 'read' | 'write'): Promise<OpenFile | undefined> {
    const file = await super.open(path, mode);
    if (file === undefined || !path.startsWith('/data/large/') || mode !== 'read') return file;
    const close = async () => {
      await this.closing();
      await file.close();
    };
    return { ...file, close };
  }
}

function badDisk(): { fs: ClosesBadly; index: Disk['index'] } {
  return { fs: new ClosesBadly(), index: emptyDisk(1).index };
}

function open(disk: Disk, options: Partial<LocalStoreOptions> = {}): Promise<LocalStore> {
  return openStoreIn('/data', { fs: disk.fs, index: disk.index.home(), ...options });
}

const largeFiles = ({ fs }: Disk) => fs.paths().filter((path) => path.startsWith('/data/large/'));

describe('deleting a large blob', () => {
  it('does not take with it the same blob that is stored while its file is being closed', async () => {
    const disk = badDisk();
    const store = await open(disk, { durability: 'memory' });
    const bytes = seededRandom(1).bytes(large);
    const { digest } = await store.write(bytes);
    await (await store.open(digest.hash))!.close();
    let letGo = () => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    disk.fs.closing = () => held;
    const deleting = store.delete([digest.hash]);
    while ((await store.stat([digest.hash]))[0] !== undefined);
    expect((await store.write(bytes)).existed).toBe(false);
    letGo();
    expect(await deleting).toEqual([true]);
    await store.list({ limit: 1 });
    expect(await store.stat([digest.hash])).toEqual([{ size: large }]);

    disk.index.kill();
    await disk.index.home().destroy();
    const again = await open({ fs: disk.fs.crash(1), index: disk.index }, { durability: 'memory' });
    expect(await again.stat([digest.hash])).toEqual([{ size: large }]);
    await again.close();
  });

  it('is done, although its file cannot be closed', async () => {
    const disk = badDisk();
    const store = await open(disk);
    const bytes = seededRandom(1).bytes(large);
    const { digest } = await store.write(bytes);
    await (await store.open(digest.hash))!.close();
    disk.fs.closing = async () => {
      throw new CairnError('storage', 'the file cannot be closed');
    };
    expect(await store.delete([digest.hash])).toEqual([true]);
    expect(largeFiles(disk)).toEqual([]);
    expect((await store.write(bytes)).existed).toBe(false);
    expect(await store.delete([digest.hash])).toEqual([true]);
    expect(await store.usage()).toEqual({ blobs: 0, bytes: 0 });
    await store.close();
  });

  it('leaves its file to the next start, when the store is closed before its reader', async () => {
    const disk = badDisk();
    const store = await open(disk);
    const { digest } = await store.write(seededRandom(1).bytes(large));
    const handle = (await store.open(digest.hash))!;
    await store.delete([digest.hash]);
    await store.close();
    expect(largeFiles(disk).map((path) => path.includes(hashHex(digest.hash)))).toEqual([true]);
    const after = { fs: disk.fs.crash(1), index: disk.index };
    const again = await open(after);
    expect(largeFiles(after)).toEqual([]);
    await again.close();
    await handle.close();
  });
});

describe('reading a large blob', () => {
  it('is over only when nothing writes into the reader’s memory any more', async () => {
    const disk = emptyDisk(1);
    const store = await open(disk);
    const { digest } = await store.write(seededRandom(1).bytes(large));
    // The checksums of its two blocks are the last bytes of the log, but for 4 of padding.
    const log = disk.fs.paths().find((path) => path.endsWith('.log'))!;
    disk.fs.damage(log, (bytes) => {
      bytes[bytes.length - 5]! ^= 1;
    });
    let reading = 0;
    const openFile = disk.fs.open.bind(disk.fs);
    disk.fs.open = async (path, mode) => {
      const file = await openFile(path, mode);
      if (file === undefined || !path.startsWith('/data/large/')) return file;
      const read: OpenFile['read'] = async (target, position) => {
        reading++;
        for (let turn = 0; turn < 5; turn++) await setImmediate();
        reading--;
        return file.read(target, position);
      };
      return { ...file, read };
    };
    const handle = (await store.open(digest.hash))!;
    const scratch = new Uint8Array(2 * limits.blockBytes);
    await expect(handle.read({ start: 0, end: large }, scratch)).rejects.toMatchObject({ code: 'corrupt' });
    expect(reading).toBe(0);
    await handle.close();
    await store.close();
  });
});

describe('a process without a descriptor to spare', () => {
  it('refuses a large blob, and takes it when it has one again', async () => {
    const disk = emptyDisk(1);
    const store = await open(disk);
    const bytes = seededRandom(1).bytes(large);
    await store.write(bytes.subarray(1));
    const { syncDirectory } = disk.fs;
    disk.fs.syncDirectory = async () => {
      throw new CairnError('overloaded', 'too many open files');
    };
    await expect(store.write(bytes)).rejects.toMatchObject({ code: 'overloaded' });
    disk.fs.syncDirectory = syncDirectory;
    const { digest } = await store.write(bytes);
    const again = await open(crashDisk(disk, 1));
    expect(await again.stat([digest.hash])).toEqual([{ size: large }]);
    await again.close();
  });
});

describe('a large blob that is opened in another thread', () => {
  it('is not kept open when news of its deletion come with the answer where it is', async () => {
    const disk = emptyDisk(1);
    const store = await open(disk, { indexMemoryBytes: 0 });
    const { digest } = await store.write(seededRandom(1).bytes(large));
    await store.list({ limit: 1 });
    const before = disk.fs.openPaths();
    let asked = 0;
    const { parts, owner } = store.share((change) => shared.changed(change));
    const find = (hashes: readonly BlobHash[]) =>
      new Promise<(BlobRow | undefined)[]>((resolve, reject) => {
        owner.find(hashes).then((rows) => {
          resolve(rows);
          if (++asked > 1) shared.changed({ kind: 'large-blob-removed', hash: digest.hash });
        }, reject);
      });
    const shared: SharedStore = new SharedStore({
      shared: parts,
      owner: { ...owner, find },
      fs: disk.fs,
      clock: systemClock,
      random: systemRandom,
    });
    const handle = (await shared.open(digest.hash))!;
    while (asked < 2) await setImmediate();
    await handle.close();
    expect(disk.fs.openPaths().filter((path) => !path.endsWith('.log'))).toEqual(
      before.filter((path) => !path.endsWith('.log')),
    );
    await shared.close();
    await store.close();
  });
});

describe('who waits in another thread for a blob', () => {
  it('is forgotten when it is told, whether it says so or not', async () => {
    const store = await open(emptyDisk(1));
    const { commits } = store;
    const { whenStored } = commits;
    let waiting = 0;
    commits.whenStored = (hash, callback) => {
      waiting++;
      const stop = whenStored.call(commits, hash, callback);
      return () => {
        waiting--;
        stop();
      };
    };
    const { owner } = store.share(() => {});
    const bytes = seededRandom(1).bytes(100);
    const { digest } = await (await open(emptyDisk(2))).write(bytes);
    const stored = owner.stored(digest.hash, new AbortController().signal);
    expect(waiting).toBe(1);
    await store.write(bytes);
    expect(await stored).toEqual(digest);
    expect(await owner.stored(digest.hash, new AbortController().signal)).toEqual(digest);
    expect(waiting).toBe(0);
    await store.close();
  });

  it('leaves no file behind that another thread has spooled', async () => {
    const disk = emptyDisk(1);
    const store = await open(disk);
    const { owner } = store.share(() => {});
    const bytes = seededRandom(1).bytes(large);
    const path = '/data/temp/spooled';
    await (await disk.fs.create(path)).close();
    disk.fs.open = async () => {
      throw new CairnError('overloaded', 'too many open files');
    };
    const committing = owner.commitLarge(digestBlob(bytes), path, new Uint8Array(8));
    await expect(committing).rejects.toMatchObject({ code: 'overloaded' });
    expect(disk.fs.paths()).not.toContain(path);
  });
});
