// Archives against the system's own tar, and what happens when one cannot be finished.

import { execFile } from 'node:child_process';
import { chmod, lstat, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { archiveItems } from '../../../src/api/http/tree-archive.js';
import { CairnError } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import { comparePaths, type FileItem, type TreeItem } from '../../../src/tree/tree-item.js';
import { seededRandom } from '../../support/random.js';
import { WatchedStore } from '../../support/served.js';
import { streamMemory } from '../../support/stream-memory.js';

const random = seededRandom(7);
const never = new AbortController().signal;

let store: WatchedStore;
beforeEach(() => {
  store = new WatchedStore();
});
afterEach(() => {
  expect(store.openHandles).toBe(0);
  expect(store.misuses).toBe(0);
});

async function file(path: string, bytes: Uint8Array, flags: Partial<FileItem> = {}): Promise<FileItem> {
  const { digest } = await store.write(bytes);
  return { kind: 'file', path, digest, executable: false, readonly: false, ...flags };
}

async function* inOrder(items: readonly TreeItem[]): AsyncGenerator<TreeItem> {
  yield* items.toSorted((a, b) => comparePaths(a.path, b.path));
}

async function archived(items: readonly TreeItem[]): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of archiveItems(store, inOrder(items), never, streamMemory())) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** What tar makes of an archive: each path with its type, mode and content or target. */
async function extracted(archive: Buffer): Promise<Map<string, string>> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-tar-'));
  try {
    await writeFile(join(directory, 'archive.tar'), archive);
    const into = await mkdtemp(join(directory, 'out-'));
    const { stderr } = await promisify(execFile)('tar', ['-xpf', join(directory, 'archive.tar'), '-C', into]);
    expect(stderr).toBe('');
    const found = new Map<string, string>();
    for (const entry of await readdir(into, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const { mode, mtimeMs } = await lstat(path);
      const name = path.slice(into.length + 1);
      if (entry.isSymbolicLink()) found.set(name, `link ${await readlink(path)}`);
      else if (entry.isDirectory()) found.set(name, 'directory');
      else {
        expect(mtimeMs).toBe(0);
        const content = (await readFile(path)).toString('latin1');
        found.set(name, `${(mode & 0o777).toString(8)} ${content}`);
      }
      if (entry.isDirectory()) await chmod(path, 0o755);
    }
    return found;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const odd = 'ü/\u{1f600} "x"\n.txt';
const long = `${'d'.repeat(90)}/${'e'.repeat(200)}/${'f'.repeat(255)}`;
const umlauts = 'ä'.repeat(127);

async function everything(): Promise<TreeItem[]> {
  const text = (value: string) => Buffer.from(value);
  return [
    await file('a', text('plain')),
    await file('empty', text('')),
    await file('run', text('#!'), { executable: true }),
    await file('kept', text('kept'), { readonly: true }),
    await file('kept-run', text('both'), { readonly: true, executable: true }),
    await file('block', random.bytes(512)),
    await file(odd, text('odd')),
    await file(long, text('long')),
    await file(umlauts, text('umlauts')),
    await file('d/e/f/g', text('deep')),
    await file('large', random.bytes(3_000_000)),
    { kind: 'directory', path: 'nothing' },
    { kind: 'directory', path: `${'n'.repeat(150)}` },
    { kind: 'directory', path: `o/${'n'.repeat(255)}` },
    { kind: 'symlink', path: 'link', target: 'd/e' },
    { kind: 'symlink', path: 'd/up', target: `../${long}` },
    { kind: 'symlink', path: 'd/ümlaut', target: '../ü' },
    { kind: 'symlink', path: 'dangling', target: 'no/such' },
  ];
}

describe('an archive', () => {
  it('is read by tar as what it was made of', async () => {
    const items = await everything();
    const want = new Map<string, string>();
    for (const item of items) {
      const names = item.path.split('/');
      for (let i = 1; i < names.length; i++) want.set(names.slice(0, i).join('/'), 'directory');
      if (item.kind === 'symlink') want.set(item.path, `link ${item.target}`);
      if (item.kind === 'directory') want.set(item.path, 'directory');
      if (item.kind !== 'file') continue;
      const mode = 0o444 | (item.readonly ? 0 : 0o200) | (item.executable ? 0o111 : 0);
      const handle = (await store.open(item.digest.hash))!;
      const pieces: Uint8Array[] = [];
      for (let start = 0; start < item.digest.size; start += limits.readBytesMax) {
        pieces.push(await handle.read({ start, end: Math.min(start + limits.readBytesMax, item.digest.size) }));
      }
      await handle.close();
      want.set(item.path, `${mode.toString(8)} ${Buffer.concat(pieces).toString('latin1')}`);
    }
    const found = await extracted(await archived(items));
    expect([...found.keys()].sort()).toEqual([...want.keys()].sort());
    for (const [path, what] of want) expect(found.get(path) === what, path).toBe(true);
  });

  it('has the same bytes every time', async () => {
    const items = await everything();
    expect((await archived(items)).equals(await archived(items))).toBe(true);
  });

  it('of nothing is an empty one', async () => {
    expect(await archived([])).toEqual(Buffer.alloc(1024));
    expect((await extracted(await archived([]))).size).toBe(0);
  });
});

describe('an archive that cannot be finished', () => {
  it('fails when a blob is gone, or has another size', async () => {
    const gone = await file('b', random.bytes(100));
    await store.delete([gone.digest.hash]);
    const items = [await file('a', random.bytes(100)), gone, await file('c', random.bytes(100))];
    await expect(archived(items)).rejects.toMatchObject({ code: 'not_found' });
    const kept = await file('b', random.bytes(100));
    const claimed = { ...kept, digest: { ...kept.digest, size: 99 } };
    await expect(archived([claimed])).rejects.toMatchObject({ code: 'not_found' });
  });

  it('fails with a damaged blob, at its beginning or later', async () => {
    for (const failing of [1, 3, 6]) {
      let reads = 0;
      store.beforeRead = () => {
        if (++reads === failing) throw new CairnError('corrupt', 'damaged');
      };
      const items = [await file('a', random.bytes(100)), await file('b', random.bytes(3_000_000))];
      await expect(archived(items)).rejects.toMatchObject({ code: 'corrupt' });
    }
  });

  it('fails with the entries', async () => {
    const some = await file('a', random.bytes(100));
    const items = (async function* () {
      yield some;
      throw new CairnError('invalid_argument', 'no tree');
    })();
    const reading = archiveItems(store, items, never, streamMemory()).next();
    await expect(reading).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('is canceled by the signal, in the middle of a file', async () => {
    const abort = new AbortController();
    const items = [await file('a', random.bytes(5_000_000)), await file('b', random.bytes(100))];
    const archive = archiveItems(store, inOrder(items), abort.signal, streamMemory());
    await archive.next();
    abort.abort();
    const rest = (async () => {
      for await (const _ of archive);
    })();
    await expect(rest).rejects.toMatchObject({ code: 'canceled' });
  });

  it('closes everything when it is abandoned', async () => {
    const items: TreeItem[] = [];
    for (let i = 0; i < 100; i++) items.push(await file(`${i}`, random.bytes(100_000)));
    const source = inOrder(items);
    const archive = archiveItems(store, source, never, streamMemory());
    await archive.next();
    await archive.next();
    expect(store.openHandles).toBeGreaterThan(0);
    expect(store.openHandles).toBeLessThanOrEqual(limits.archiveFilesAheadCountMax);
    await archive.return();
    expect(store.openHandles).toBe(0);
    expect((await source.next()).done).toBe(true);
  });
});

it('reads no further than its reader takes, and a bounded number of files ahead', async () => {
  const items: TreeItem[] = [];
  for (let i = 0; i < 100; i++) items.push(await file(`${i}`, random.bytes(i === 0 ? 20_000_000 : 200_000)));
  let bytesRead = 0;
  store.onRead = ({ start, end }) => {
    bytesRead += end - start;
  };
  const archive = archiveItems(store, inOrder(items), never, streamMemory());
  await archive.next();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(bytesRead).toBeLessThan(limits.archiveFilesAheadCountMax * limits.firstReadBytes + 2 * limits.readBytesMax);
  await archive.return();
});
