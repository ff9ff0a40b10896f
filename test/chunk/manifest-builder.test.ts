// Manifests built and read again, against the list of chunks they were built from.

import { describe, expect, it } from 'vitest';
import { type BlobHash, hashHex, toDigest } from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob, hashBytes } from '../../src/blake3/hasher.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { type Chunk, formatChecksum, formatChunkId } from '../../src/chunk/chunk.js';
import { type Manifest, ManifestBuilder } from '../../src/chunk/manifest-builder.js';
import { encodeBranch, encodeLeaf } from '../../src/chunk/manifest-node.js';
import { ManifestReader, type PlacedChunk } from '../../src/chunk/manifest-reader.js';
import { type SeededRandom, seededRandom, testSeed } from '../support/random.js';

function randomChunk(random: SeededRandom): Chunk {
  return { digest: toDigest(hashBytes(random.bytes(8)), random.between(1, 1 << 20)), sha256: random.bytes(32) };
}

async function build(store: MemoryStore, chunks: readonly Chunk[]): Promise<Manifest> {
  const builder = new ManifestBuilder(store);
  for (const chunk of chunks) await builder.add(chunk);
  return builder.finish();
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Chunks as text: comparing thousands of arrays one by one takes minutes. */
function lines(chunks: readonly PlacedChunk[]): string[] {
  return chunks.map(
    (chunk) => `${chunk.index} ${chunk.offset} ${formatChunkId(chunk.digest)} ${formatChecksum(chunk)}`,
  );
}

function placed(chunks: readonly Chunk[]) {
  let offset = 0;
  return chunks.map((chunk, index) => {
    const here = { ...chunk, index, offset };
    offset += chunk.digest.size;
    return here;
  });
}

const rows = limits.manifestRowsCountMax;

describe('a manifest', () => {
  const seed = testSeed('manifest');

  it.each([0, 1, 2, rows - 1, rows, rows + 1, 3 * rows, 5000])(
    'of %d chunks reads back as it was built',
    async (count) => {
      const random = seededRandom(seed);
      const store = new MemoryStore();
      const chunks = Array.from({ length: count }, () => randomChunk(random));
      const manifest = await build(store, chunks);
      const want = placed(chunks);
      expect(manifest.chunkCount).toBe(count);
      expect(manifest.bytes).toBe((want.at(-1)?.offset ?? 0) + (want.at(-1)?.digest.size ?? 0));
      const reader = new ManifestReader(store, manifest);
      expect(lines(await collect(reader.chunksFrom(0)))).toEqual(lines(want));
      for (let round = 0; round < 5; round++) {
        const from = random.between(0, count + 1);
        expect(lines(await collect(reader.chunksFrom(from)))).toEqual(lines(want.slice(from)));
        const [a, b] = [random.between(0, manifest.bytes), random.between(0, manifest.bytes)];
        const range = { start: Math.min(a, b), end: Math.max(a, b) };
        const inside = want.filter(
          ({ offset, digest }) => range.start < range.end && offset < range.end && offset + digest.size > range.start,
        );
        expect(lines(await collect(reader.chunksIn(range)))).toEqual(lines(inside));
      }
    },
  );

  it('of one leaf is that leaf, and of more a branch over full leaves and a last one', async () => {
    const random = seededRandom(seed);
    const chunks = Array.from({ length: rows + 2 }, () => randomChunk(random));
    const leaf = (from: number, to: number) => {
      const listed = chunks.slice(from, to);
      const bytes = listed.reduce((sum, { digest }) => sum + digest.size, 0);
      return { node: digestBlob(encodeLeaf(listed)).hash, bytes, chunkCount: listed.length };
    };
    for (const count of [0, 1, rows]) {
      expect((await build(new MemoryStore(), chunks.slice(0, count))).root).toEqual(leaf(0, count).node);
    }
    for (const count of [rows + 1, rows + 2]) {
      const branch = encodeBranch(1, [leaf(0, rows), leaf(rows, count)]);
      expect((await build(new MemoryStore(), chunks.slice(0, count))).root).toEqual(digestBlob(branch).hash);
    }
  });

  it('of several levels has no node with too many rows, whatever the count', async () => {
    // Chunks of one digest, so that half a million of them are a few nodes.
    const store = new MemoryStore();
    const chunk = randomChunk(seededRandom(seed));
    const builder = new ManifestBuilder(store);
    for (let count = 0; count < rows * rows + rows + 1; count++) await builder.add(chunk);
    const manifest = await builder.finish();
    const last = await collect(new ManifestReader(store, manifest).chunksFrom(rows * rows + rows));
    expect(last).toEqual([{ ...chunk, index: rows * rows + rows, offset: (rows * rows + rows) * chunk.digest.size }]);
  });

  it('is the same when it is put aside at any time', async () => {
    const random = seededRandom(seed);
    const store = new MemoryStore();
    const chunks = Array.from({ length: 3 * rows + 17 }, () => randomChunk(random));
    const want = await build(store, chunks);
    let builder = new ManifestBuilder(store);
    for (const [i, chunk] of chunks.entries()) {
      await builder.add(chunk);
      if (i % 97 !== 0 && i % rows > 2) continue;
      builder = ManifestBuilder.restore(store, builder.save());
      expect(builder.bytes).toBe(placed(chunks)[i]!.offset + chunk.digest.size);
    }
    expect(await builder.finish()).toEqual(want);
  });

  it('touches only the nodes that a range needs', async () => {
    const random = seededRandom(seed);
    const store = new MemoryStore();
    const manifest = await build(
      store,
      Array.from({ length: 40 * rows }, () => randomChunk(random)),
    );
    let opened = 0;
    const counting = {
      open(hash: BlobHash) {
        opened += 1;
        return store.open(hash);
      },
    };
    const middle = Math.floor(manifest.bytes / 2);
    await collect(new ManifestReader(counting, manifest).chunksIn({ start: middle, end: middle + 1 }));
    expect(opened).toBe(2);
  });

  it('is corrupt when a node is gone, or another than its parent says', async () => {
    const random = seededRandom(seed);
    const store = new MemoryStore();
    const manifest = await build(
      store,
      Array.from({ length: rows + 1 }, () => randomChunk(random)),
    );
    const single = encodeBranch(1, [{ node: manifest.root, bytes: manifest.bytes, chunkCount: 512 }]);
    const { digest } = await store.write(single);
    const above = { root: digest.hash, bytes: manifest.bytes, chunkCount: 512 };
    await expect(collect(new ManifestReader(store, above).chunksFrom(0))).rejects.toMatchObject({ code: 'corrupt' });
    const other = { ...manifest, bytes: manifest.bytes + 1 };
    await expect(collect(new ManifestReader(store, other).chunksFrom(0))).rejects.toMatchObject({ code: 'corrupt' });
    for (const { hash } of await store.list({ limit: 10 })) {
      if (hashHex(hash) !== hashHex(manifest.root)) await store.delete([hash]);
    }
    await expect(collect(new ManifestReader(store, manifest).chunksFrom(0))).rejects.toMatchObject({ code: 'corrupt' });
  });
});
