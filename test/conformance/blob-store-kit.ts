// What the parts of the blob store suite share: how a store is opened, which differences it declares, and sources that
// behave badly on purpose.

import { expect, it } from 'vitest';
import type { BlobHandle, BlobStore, Durability } from '../../src/base/blob-store.js';
import { type BlobHash, type Digest, hashHex } from '../../src/base/digest.js';
import { CairnError, type ErrorCode, errorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../support/random.js';

export interface OpenedStore {
  readonly store: BlobStore;
  /** Closes the store and opens what it left behind again. The store given before is not used after it. */
  reopen?(): Promise<BlobStore>;
  /** Closes the newest store, which may be closed already, and clears away all it kept. */
  close(): Promise<void>;
}

/** How implementations may differ. Everything not named here is the same for all. */
export interface StoreSupports {
  /** What an answered write is said to be. */
  readonly durability: Durability;
  /** A blob larger than `packedBlobBytesMax` has a file of its own, which `localPath` names. */
  readonly localPath: boolean;
  /** A writer that said which digest it brings, and stalls, is answered when another commits that digest. */
  readonly answersOvertaken: boolean;
  /** Of several writers of one digest at once, all but the one that committed learn `existed`. */
  readonly existedInRaces: boolean;
  /** A write that was answered with `canceled` does not commit afterwards, as it may behind a network. */
  readonly cancelIsFinal: boolean;
  /** A handle reads on after the blob was deleted. */
  readonly readsAfterDelete: boolean;
  /** An error that a source throws comes out itself; otherwise as the cause of a `CairnError`, unless it is one. */
  readonly sourceErrorsAsTheyAre: boolean;
  /** `usage` counts exactly; otherwise it is not asked. */
  readonly usage: boolean;
}

export interface StoreUnderTest extends StoreSupports {
  readonly name: string;
  readonly open: () => Promise<OpenedStore>;
}

/** One test over a fresh store. */
export function itOn(subject: StoreUnderTest, name: string, body: (opened: OpenedStore) => Promise<void>): void {
  it(name, async () => {
    const opened = await subject.open();
    try {
      await body(opened);
    } finally {
      await opened.close();
    }
  });
}

const blobs = new Map<string, Uint8Array>();

/** The same bytes for the same size and salt, unlike those of any other. A fresh copy each time. */
export function blobOf(size: number, salt = 0): Uint8Array {
  const key = `${size}/${salt}`;
  let bytes = blobs.get(key);
  if (bytes === undefined) {
    bytes = seededRandom(size * 31 + salt).bytes(size);
    if (size < 2 ** 20) blobs.set(key, bytes);
  }
  return bytes.slice();
}

const kib = 1024;

/** Sizes at which something changes in one store or another. */
export const edgeSizes = [
  ...new Set([
    0,
    1,
    2,
    31,
    32,
    1023,
    1024,
    4096,
    63 * kib,
    limits.blockBytes - 1,
    limits.blockBytes,
    limits.blockBytes + 1,
    65 * kib,
    limits.packedBlobBytesMax - 1,
    limits.packedBlobBytesMax,
    limits.packedBlobBytesMax + 1,
    2 * limits.blockBytes - 1,
    2 * limits.blockBytes,
    2 * limits.blockBytes + 1,
    limits.readBytesMax - 1,
    limits.readBytesMax,
    limits.readBytesMax + 1,
  ]),
].sort((a, b) => a - b);

export const largeSize = 3 * limits.readBytesMax + 12_345;

/** Equality of large arrays without a difference of a million lines. */
export function expectSameBytes(actual: Uint8Array, want: Uint8Array): void {
  expect(actual.length).toBe(want.length);
  const at = Buffer.compare(actual, want) === 0 ? -1 : actual.findIndex((byte, i) => byte !== want[i]);
  expect(at, 'offset of the first different byte').toBe(-1);
}

export function expectSameDigest(actual: Digest, want: Digest): void {
  expect(`${hashHex(actual.hash)}/${actual.size}`).toBe(`${hashHex(want.hash)}/${want.size}`);
}

/** The code an operation fails with; 'ok' when it does not. Anything but a `CairnError` counts as `internal`. */
export async function codeOf(operation: Promise<unknown>): Promise<ErrorCode | 'ok'> {
  try {
    await operation;
    return 'ok';
  } catch (error) {
    return errorCode(error);
  }
}

export async function openBlob(store: BlobStore, hash: BlobHash): Promise<BlobHandle> {
  const handle = await store.open(hash);
  expect(handle, `blob ${hashHex(hash)} is there`).toBeDefined();
  return handle!;
}

export async function readAll(handle: BlobHandle, stepBytes: number = limits.readBytesMax): Promise<Uint8Array> {
  const { size } = handle.digest;
  const whole = new Uint8Array(size);
  for (let start = 0; start < size; start += stepBytes) {
    const end = Math.min(size, start + stepBytes);
    const bytes = await handle.read({ start, end });
    expect(bytes.length).toBe(end - start);
    whole.set(bytes, start);
  }
  return whole;
}

export async function expectBlob(store: BlobStore, digest: Digest, want: Uint8Array): Promise<void> {
  expect(await store.stat([digest.hash])).toEqual([{ size: want.length }]);
  const handle = await openBlob(store, digest.hash);
  try {
    expectSameDigest(handle.digest, digest);
    expectSameBytes(await readAll(handle), want);
  } finally {
    await handle.close();
  }
}

/** Nothing of the blob is there to be seen, by any question. */
export async function expectAbsent(store: BlobStore, ...digests: Digest[]): Promise<void> {
  const hashes = digests.map(({ hash }) => hash);
  expect(await store.stat(hashes)).toEqual(hashes.map(() => undefined));
  for (const hash of hashes) expect(await store.open(hash)).toBeUndefined();
  const listed = await listAll(store);
  for (const hash of hashes) expect(listed).not.toContain(hashHex(hash));
}

/** Hashes of all blobs, in the order listed. */
export async function listAll(store: BlobStore, limit = 1000): Promise<string[]> {
  const all: string[] = [];
  for (let after: BlobHash | undefined; ; ) {
    const page = await store.list({ after, limit });
    expect(page.length).toBeLessThanOrEqual(limit);
    all.push(...page.map(({ hash }) => hashHex(hash)));
    if (page.length < limit) return all;
    after = page.at(-1)!.hash;
  }
}

export async function* piecesOf(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield piece;
}

/**
 * Pieces in one buffer that is overwritten as soon as the next piece is asked for. As files give them, it can be a
 * `Buffer`, whose `slice` makes no copy.
 */
export async function* reusedBuffer(
  bytes: Uint8Array,
  pieceBytes: number,
  kind: 'Uint8Array' | 'Buffer',
): AsyncGenerator<Uint8Array> {
  const buffer = kind === 'Buffer' ? Buffer.alloc(pieceBytes) : new Uint8Array(pieceBytes);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
    buffer.fill(0xdd);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What a source threw is what its write fails with. */
export async function expectSourceError(
  { sourceErrorsAsTheyAre }: StoreSupports,
  write: Promise<unknown>,
  error: Error,
): Promise<void> {
  const failure = await write.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (sourceErrorsAsTheyAre || error instanceof CairnError) expect(failure).toBe(error);
  else expect(failure).toMatchObject({ name: 'CairnError', cause: error });
}

/** Some pieces, then this error. */
export async function* failingSource(pieces: Iterable<Uint8Array>, error: Error): AsyncGenerator<Uint8Array> {
  yield* pieces;
  throw error;
}

export interface StalledSource {
  readonly source: AsyncIterable<Uint8Array>;
  /** Resolves when the store waits for what does not come. */
  readonly stalled: Promise<void>;
  /** Lets the source go on to the rest of its pieces. */
  release(): void;
}

/** Some pieces, then a silence that only `release` ends, then the rest. */
export function stalledSource(first: readonly Uint8Array[], rest: readonly Uint8Array[] = []): StalledSource {
  let reached = () => {};
  let release = () => {};
  const stalled = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  async function* source() {
    yield* first;
    reached();
    await released;
    yield* rest;
  }
  return { source: source(), stalled, release };
}
