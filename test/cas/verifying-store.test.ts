// VerifyingStore over stores that lie. That it leaves an honest one alone is for the conformance suite.

import { describe, expect, it } from 'vitest';
import type { BlobHandle, BlobSource, BlobStore, WriteResult } from '../../src/base/blob-store.js';
import type { BlobHash, Digest } from '../../src/base/digest.js';
import { toDigest } from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import type { ByteRange } from '../../src/base/range.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { VerifyingStore } from '../../src/cas/verifying-store.js';
import { randomSplit, seededRandom, testSeed } from '../support/random.js';

const random = seededRandom(testSeed('VerifyingStore'));
const bytes = random.bytes(300_000);
const digest = digestBlob(bytes);
const other = digestBlob(random.bytes(300_000));
const corrupt = { code: 'corrupt' };

async function* pieces(of: Uint8Array = bytes): AsyncGenerator<Uint8Array> {
  yield* randomSplit(random, of, 50_000);
}

/** Answers this digest for every write; reads its source as far as it is told. */
class LyingWriter extends MemoryStore {
  constructor(
    readonly answer: Digest,
    readonly piecesRead = Number.POSITIVE_INFINITY,
  ) {
    super();
  }

  override async write(source: BlobSource): Promise<WriteResult> {
    let count = 0;
    if (!(source instanceof Uint8Array)) {
      for await (const _ of source) if (++count >= this.piecesRead) break;
    }
    return { digest: this.answer, existed: true, durability: 'memory' };
  }
}

/** A store with one blob, whose reads go through `change`. */
async function verifyingReader(
  change: (read: Uint8Array, range: ByteRange) => Uint8Array,
): Promise<{ store: BlobStore; handle: BlobHandle }> {
  const inner = new MemoryStore();
  await inner.write(bytes);
  const open = inner.open.bind(inner);
  inner.open = async (hash: BlobHash) => {
    const handle = await open(hash);
    if (handle === undefined) return undefined;
    const read = async (range: ByteRange) => change(await handle.read(range), range);
    return { digest: handle.digest, localPath: undefined, read, close: () => handle.close() };
  };
  const store = new VerifyingStore(inner);
  return { store, handle: (await store.open(digest.hash))! };
}

/** Flips a bit of the byte at this place. */
const flipAt =
  (place: number) =>
  (read: Uint8Array, { start, end }: ByteRange) => {
    if (place >= start && place < end) read[place - start]! ^= 1;
    return read;
  };

async function readInOrder(handle: BlobHandle, stepBytes: number): Promise<void> {
  for (let start = 0; start < handle.digest.size; start += stepBytes) {
    await handle.read({ start, end: Math.min(start + stepBytes, handle.digest.size) });
  }
}

describe('VerifyingStore writes', () => {
  it.each([
    { name: 'another hash', answer: other },
    { name: 'another size', answer: toDigest(digest.hash, digest.size - 1) },
  ])('finds an answer with $name', async ({ answer }) => {
    const store = new VerifyingStore(new LyingWriter(answer));
    await expect(store.write(bytes)).rejects.toMatchObject(corrupt);
    await expect(store.write(pieces())).rejects.toMatchObject(corrupt);
    await expect(store.write(pieces(), { expect: digest })).rejects.toMatchObject(corrupt);
  });

  it('holds an answer that came early against what was expected', async () => {
    const early = new VerifyingStore(new LyingWriter(digest, 1));
    expect((await early.write(pieces(), { expect: digest })).digest).toBe(digest);
    await expect(early.write(pieces(), { expect: other })).rejects.toMatchObject(corrupt);
    expect((await early.write(pieces())).digest).toBe(digest);
  });

  it('ends the source of an answer that came early', async () => {
    let returned = false;
    async function* source() {
      try {
        yield* pieces();
      } finally {
        returned = true;
      }
    }
    await new VerifyingStore(new LyingWriter(digest, 1)).write(source(), { expect: digest });
    expect(returned).toBe(true);
  });

  it('lets the error of the store behind it out', async () => {
    const store = new VerifyingStore(new MemoryStore());
    await expect(store.write(pieces(), { expect: other })).rejects.toMatchObject({ code: 'digest_mismatch' });
    expect(await store.stat([digest.hash])).toEqual([undefined]);
  });
});

describe('VerifyingStore reads', () => {
  it.each([0, 1, 150_000, 299_999])('finds a changed byte at %d in a whole read, however it is cut', async (place) => {
    for (const step of [999, 65_536, 65_537, 299_999, limits.readBytesMax]) {
      const { handle } = await verifyingReader(flipAt(place));
      await expect(readInOrder(handle, step)).rejects.toMatchObject(corrupt);
      await handle.close();
    }
  });

  it('fails only the read that completes the blob', async () => {
    const { handle } = await verifyingReader(flipAt(5));
    await handle.read({ start: 0, end: 299_999 });
    await expect(handle.read({ start: 299_999, end: 300_000 })).rejects.toMatchObject(corrupt);
  });

  it('checks again when the reader begins again', async () => {
    let damaged = false;
    const { handle } = await verifyingReader((read, range) => (damaged ? flipAt(7)(read, range) : read));
    await readInOrder(handle, 70_000);
    damaged = true;
    await expect(readInOrder(handle, 70_000)).rejects.toMatchObject(corrupt);
    damaged = false;
    await readInOrder(handle, 70_000);
  });

  it('does not mind empty reads in between, and cannot check with a gap', async () => {
    const { handle } = await verifyingReader(flipAt(5));
    await handle.read({ start: 0, end: 1000 });
    await handle.read({ start: 77, end: 77 });
    await expect(handle.read({ start: 1000, end: 300_000 })).rejects.toMatchObject(corrupt);
    await handle.read({ start: 0, end: 1000 });
    await handle.read({ start: 2000, end: 3000 });
    await handle.read({ start: 1000, end: 300_000 });
  });

  it('reads an honest blob in any order', async () => {
    const { handle } = await verifyingReader((read) => read);
    await handle.read({ start: 1000, end: 300_000 });
    await handle.read({ start: 0, end: 1000 });
    await handle.read({ start: 1000, end: 200_000 });
    await handle.read({ start: 500, end: 600 });
    await handle.read({ start: 200_000, end: 300_000 });
    await readInOrder(handle, 12_345);
  });

  it('finds a read of the wrong length', async () => {
    const { handle } = await verifyingReader((read) => read.subarray(0, Math.max(0, read.length - 1)));
    await expect(handle.read({ start: 5, end: 10 })).rejects.toMatchObject(corrupt);
  });

  it('finds a handle of another blob, and closes it', async () => {
    const inner = new MemoryStore();
    await inner.write(bytes);
    let closed = false;
    inner.open = async () => ({
      digest: other,
      localPath: undefined,
      read: async () => bytes,
      close: async () => {
        closed = true;
      },
    });
    await expect(new VerifyingStore(inner).open(digest.hash)).rejects.toMatchObject(corrupt);
    expect(closed).toBe(true);
  });
});
