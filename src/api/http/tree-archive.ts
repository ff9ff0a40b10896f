// A tree as a tar archive: the same bytes for the same tree, always. Times are zero, owners are root, modes say what a tree
// knows of files: readable by all, executable and writable or not. Directories that hold something are implied. Long names
// and those that are not ASCII stand in pax headers. The next files are opened while one is sent; what is held is bounded.

import { type Header, type Pack, pack } from 'tar-stream';
import type { BlobHandle, BlobStore } from '../../base/blob-store.js';
import { concatBytes } from '../../base/bytes.js';
import { epoch } from '../../base/clock.js';
import { type Digest, formatHash } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { FileItem, TreeItem } from '../../tree/tree-item.js';
import { ReadAhead, type ReadAheadParts } from '../read-ahead.js';

/** Which archive a tree makes: goes up when the bytes change. */
export const archiveVersion = 1;

/**
 * The archive in pieces, each valid for good. Ends with an error wherever something cannot be read, never early:
 * `not_found` when a file's blob is gone, `canceled` by the signal. Abandoning it closes what is open.
 */
export async function* archiveItems(
  store: BlobStore,
  items: AsyncIterable<TreeItem>,
  signal: AbortSignal,
  memory: ReadAheadParts,
): AsyncGenerator<Uint8Array, void, undefined> {
  const archive = pack();
  // Errors reach whoever reads the archive; a stream without a listener would end the process.
  archive.on('error', () => {});
  const packing = packItems(archive, openAhead(store, items, signal, memory), signal).catch((error: Error) => {
    archive.destroy(error);
  });
  try {
    let pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of archive as AsyncIterable<Uint8Array>) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes < limits.archivePieceBytes) continue;
      yield concatBytes(pieces);
      pieces = [];
      bytes = 0;
    }
    if (bytes > 0) yield concatBytes(pieces);
  } finally {
    // Whoever leaves the loop has destroyed the archive, which ends the packing.
    await packing;
  }
}

async function packItems(archive: Pack, entries: AsyncIterable<OpenEntry>, signal: AbortSignal): Promise<void> {
  for await (const { item, pieces } of entries) await packItem(archive, item, pieces, signal);
  archive.finalize();
}

async function packItem(
  archive: Pack,
  item: TreeItem,
  pieces: ReadAhead | undefined,
  signal: AbortSignal,
): Promise<void> {
  let onPacked: (error?: Error | null) => void = () => {};
  const packed = new Promise<void>((resolve, reject) => {
    onPacked = (error) => (error ? reject(error) : resolve());
  });
  packed.catch(() => {});
  const entry = archive.entry(headersOf(item), onPacked);
  entry.on('error', () => {});
  for (let piece = await pieces?.next(); piece !== undefined; piece = await pieces?.next()) {
    if (!entry.write(piece)) await taken(entry);
    if (entry.destroyed) break;
  }
  if (signal.aborted) throw new CairnError('canceled', 'the call was canceled', { cause: signal.reason });
  entry.end(null);
  await packed;
}

/** Resolves when a stream has taken what was written, or is gone. */
function taken(stream: ReturnType<Pack['entry']>): Promise<void> {
  if (stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    function goOn(): void {
      stream.off('drain', goOn);
      stream.off('close', goOn);
      resolve();
    }
    stream.on('drain', goOn);
    stream.on('close', goOn);
  });
}

function headersOf(item: TreeItem): Partial<Header> & Pick<Header, 'name'> {
  const always = { mtime: epoch, uid: 0, gid: 0 };
  switch (item.kind) {
    case 'file':
      return { ...always, type: 'file', name: item.path, mode: modeOf(item), size: item.digest.size };
    case 'directory':
      return { ...always, type: 'directory', name: `${item.path}/`, mode: 0o755 };
    case 'symlink': {
      // The packer looks at names alone when it decides on a pax header.
      const pax = Buffer.byteLength(item.target) === item.target.length ? {} : { pax: {} };
      return { ...always, type: 'symlink', name: item.path, mode: 0o777, linkname: item.target, ...pax };
    }
  }
}

function modeOf({ executable, readonly }: FileItem): number {
  return (readonly ? 0o444 : 0o644) | (executable ? 0o111 : 0);
}

/** An entry whose turn has come; `pieces` are a file's bytes, absent when there are none. */
interface OpenEntry {
  readonly item: TreeItem;
  readonly pieces: ReadAhead | undefined;
}

interface OpenFile {
  readonly handle: BlobHandle;
  readonly pieces: ReadAhead;
}

interface Waiting {
  readonly item: TreeItem;
  readonly opening: Promise<OpenFile> | undefined;
}

/** The entries in order, while the files of the next ones are being opened. Closes each file when the next entry is asked for. */
async function* openAhead(
  store: BlobStore,
  items: AsyncIterable<TreeItem>,
  signal: AbortSignal,
  memory: ReadAheadParts,
): AsyncGenerator<OpenEntry, void, undefined> {
  const source = items[Symbol.asyncIterator]();
  const waiting: Waiting[] = [];
  let ended = false;
  try {
    for (;;) {
      while (!ended && waiting.length < limits.archiveFilesAheadCountMax) {
        const { done, value: item } = await source.next();
        if (done) ended = true;
        else waiting.push({ item, opening: beginOpening(store, item, signal, memory) });
      }
      const [next] = waiting;
      if (next === undefined) return;
      const { item, opening } = next;
      yield { item, pieces: (await opening)?.pieces };
      await close(opening);
      waiting.shift();
    }
  } finally {
    await source.return?.();
    await Promise.all(waiting.map(({ opening }) => close(opening)));
  }
}

function beginOpening(
  store: BlobStore,
  item: TreeItem,
  signal: AbortSignal,
  memory: ReadAheadParts,
): Promise<OpenFile> | undefined {
  if (item.kind !== 'file' || item.digest.size === 0) return undefined;
  const opening = openFile(store, item.digest, signal, memory);
  // Its failure is thrown where its turn comes.
  opening.catch(() => {});
  return opening;
}

async function openFile(
  store: BlobStore,
  digest: Digest,
  signal: AbortSignal,
  { budget, clock }: ReadAheadParts,
): Promise<OpenFile> {
  const handle = await store.open(digest.hash);
  if (handle?.digest.size !== digest.size) {
    await handle?.close();
    throw new CairnError('not_found', `there is no blob ${formatHash(digest.hash)} of ${digest.size} bytes`);
  }
  return { handle, pieces: new ReadAhead(handle, [{ start: 0, end: digest.size }], signal, { budget, clock }) };
}

async function close(opening: Promise<OpenFile> | undefined): Promise<void> {
  const file = await opening?.catch(() => undefined);
  await file?.pieces.settle();
  await file?.handle.close();
}
