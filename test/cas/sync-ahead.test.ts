import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Durability } from '../../src/base/blob-store.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import type { LocalStore } from '../../src/cas/local-store.js';
import { type Disk, emptyDisk } from '../fault/machine.js';
import type { Operation } from '../support/fault-file-system.js';
import { openStoreIn } from '../support/local-store.js';

const mib = 1024 * 1024;
const pieces = (2.5 * limits.syncAheadBytes) / mib;

let disk: Disk;
let store: LocalStore | undefined;
const operations: Operation[] = [];

beforeEach(() => {
  disk = emptyDisk(1);
  operations.length = 0;
});
afterEach(async () => {
  await store?.close();
  store = undefined;
});

async function open(durability: Durability): Promise<LocalStore> {
  store = await openStoreIn('/data', { fs: disk.fs, index: disk.index.home(), durability });
  disk.fs.inject = (operation) => {
    if (operation.path.startsWith('/data/temp/')) operations.push(operation);
    return undefined;
  };
  return store;
}

async function* source(count = pieces): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield new Uint8Array(mib).fill(i);
}

const names = () => operations.map(({ name }) => name).filter((name) => name === 'write' || name === 'sync');

it('brings a large blob to the disk while it comes, and syncs a smaller one once', async () => {
  const opened = await open('disk');
  await opened.write(source());
  expect(names().filter((name) => name === 'sync')).toHaveLength(3);
  expect(names().indexOf('sync')).toBeLessThan(names().lastIndexOf('write'));
  operations.length = 0;
  await opened.write(source(limits.syncAheadBytes / mib - 1));
  expect(names().filter((name) => name === 'sync')).toHaveLength(1);
});

it('syncs nothing ahead where nothing is promised to be on the disk', async () => {
  await (await open('memory')).write(source());
  expect(names()).not.toContain('sync');
});

it.each([1, 2])('gives up a blob when sync %i of its file fails, and takes it when it comes again', async (failing) => {
  const opened = await open('disk');
  let syncs = 0;
  disk.fs.inject = ({ name, path }) =>
    path.startsWith('/data/temp/') && name === 'sync' && ++syncs === failing ? 'io_error' : undefined;
  await expect(opened.write(source())).rejects.toMatchObject({ code: 'storage' });
  expect(disk.fs.paths().filter((path) => path.startsWith('/data/temp/'))).toEqual([]);
  const { digest, existed } = await opened.write(source());
  expect(existed).toBe(false);
  const bytes = new Uint8Array(pieces * mib);
  for (let i = 0; i < pieces; i++) bytes.fill(i, i * mib, (i + 1) * mib);
  expect(digest).toEqual(digestBlob(bytes));
});
