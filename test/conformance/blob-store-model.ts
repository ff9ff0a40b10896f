// Random operations against a Map. The seed is printed; CAIRN_SEED repeats a run, CAIRN_ROUNDS makes it longer.

import { expect } from 'vitest';
import type { BlobHandle, BlobStore } from '../../src/base/blob-store.js';
import { type Digest, hashHex, toHash } from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { randomSplit, type SeededRandom, seededRandom, testRounds, testSeed } from '../support/random.js';
import {
  blobOf,
  codeOf,
  expectBlob,
  expectSameBytes,
  expectSourceError,
  failingSource,
  itOn,
  listAll,
  openBlob,
  piecesOf,
  readAll,
  type StoreUnderTest,
} from './blob-store-kit.js';

interface Sample {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

function samplesOf(random: SeededRandom): Sample[] {
  const edges = [1, limits.packedBlobBytesMax, limits.packedBlobBytesMax + 1, 2 * limits.blockBytes];
  const sizes = [...edges, ...Array.from({ length: 26 }, () => sizeOf(random))];
  return sizes.map((size, salt) => {
    const bytes = blobOf(size, 100 + salt);
    return { bytes, digest: digestBlob(bytes) };
  });
}

function sizeOf(random: SeededRandom): number {
  if (random.chance(0.6)) return random.between(1, 2000);
  return random.chance(0.8) ? random.between(2000, 90_000) : random.between(90_000, 400_000);
}

export function modelTests(subject: StoreUnderTest): void {
  itOn(subject, 'agree with a Map, one after another', async (opened) => {
    const seed = testSeed(`${subject.name}, one after another`);
    await new ModelRun(subject, opened.store, seededRandom(seed)).run(200 * testRounds(), opened.reopen?.bind(opened));
  });

  itOn(subject, 'leave a store that agrees with itself, many at once', async (opened) => {
    const random = seededRandom(testSeed(`${subject.name}, many at once`));
    const samples = samplesOf(random).slice(0, 12);
    let { store } = opened;
    for (let round = 0; round < 6 * testRounds(); round++) {
      const current = store;
      await Promise.all(Array.from({ length: 24 }, () => disturb(subject, current, random, random.pick(samples))));
      if (opened.reopen !== undefined && random.chance(0.3)) store = await opened.reopen();
      await expectConsistent(subject, store, samples);
    }
  });
}

/** One operation whose answer depends on what runs beside it, so only what holds in any order is checked. */
async function disturb(
  subject: StoreUnderTest,
  store: BlobStore,
  random: SeededRandom,
  { digest, bytes }: Sample,
): Promise<void> {
  const choice = random.below(6);
  if (choice === 3 && !subject.cancelIsFinal) return;
  const pieces = randomSplit(random, bytes, bytes.length >> 1 || 1);
  if (choice <= 1) {
    await store.write(choice === 0 ? bytes : piecesOf(pieces), random.chance(0.5) ? { expect: digest } : {});
  } else if (choice === 2) {
    await store.delete([digest.hash]);
  } else if (choice === 3) {
    const controller = new AbortController();
    const write = codeOf(store.write(piecesOf(pieces), { signal: controller.signal }));
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    expect(['ok', 'canceled']).toContain(await write);
  } else if (choice === 4) {
    const error = new Error('the source broke');
    await expectSourceError(subject, store.write(failingSource(pieces, error)), error);
  } else {
    const handle = await store.open(digest.hash);
    if (handle === undefined) return;
    const code = await codeOf(readAll(handle).then((read) => expectSameBytes(read, bytes)));
    expect(['ok', 'not_found']).toContain(code);
    await handle.close();
  }
}

async function expectConsistent(subject: StoreUnderTest, store: BlobStore, samples: readonly Sample[]): Promise<void> {
  const stats = await store.stat(samples.map(({ digest }) => digest.hash));
  const there = samples.filter((_, i) => stats[i] !== undefined);
  for (const { digest, bytes } of there) await expectBlob(store, digest, bytes);
  for (const [i, { digest }] of samples.entries()) {
    if (stats[i] === undefined) expect(await store.open(digest.hash)).toBeUndefined();
  }
  expect(await listAll(store, 5)).toEqual(there.map(({ digest }) => hashHex(digest.hash)).sort());
  if (subject.usage) {
    const bytes = there.reduce((sum, { digest }) => sum + digest.size, 0);
    expect(await store.usage()).toEqual({ blobs: there.length, bytes });
  }
}

class ModelRun {
  readonly #model = new Map<string, Sample>();
  readonly #samples: readonly Sample[];
  readonly #held: { readonly handle: BlobHandle; readonly bytes: Uint8Array }[] = [];
  #store: BlobStore;

  constructor(
    readonly subject: StoreUnderTest,
    store: BlobStore,
    readonly random: SeededRandom,
  ) {
    this.#store = store;
    this.#samples = samplesOf(random);
  }

  async run(steps: number, reopen: (() => Promise<BlobStore>) | undefined): Promise<void> {
    for (let step = 0; step < steps; step++) {
      if (reopen !== undefined && this.random.chance(0.02)) {
        await this.#release();
        this.#store = await reopen();
      }
      await this.#step();
    }
    await this.#release();
    await expectConsistent(this.subject, this.#store, this.#samples);
    expect(await listAll(this.#store)).toEqual([...this.#model.keys()].sort());
  }

  async #step(): Promise<void> {
    const sample = this.random.pick(this.#samples);
    const hex = hashHex(sample.digest.hash);
    const choice = this.random.below(10);
    if (choice < 3) await this.#write(sample, hex);
    else if (choice === 3) await this.#writeBadly(sample);
    else if (choice < 6) await this.#delete();
    else if (choice === 6) await this.#read(sample, hex);
    else if (choice === 7) await this.#hold(sample, hex);
    else if (choice === 8) await this.#stat();
    else await this.#list();
  }

  async #write(sample: Sample, hex: string): Promise<void> {
    const { random } = this;
    const source = random.chance(0.5)
      ? sample.bytes
      : piecesOf(randomSplit(random, sample.bytes, random.between(1, 100_000) + (sample.bytes.length >> 6)));
    const result = await this.#store.write(source, random.chance(0.5) ? { expect: sample.digest } : {});
    expect(result.existed).toBe(this.#model.has(hex));
    expect(hashHex(result.digest.hash)).toBe(hex);
    this.#model.set(hex, sample);
  }

  /** Wrong bytes for a blob that is not there, or a source that breaks: no trace either way. */
  async #writeBadly(sample: Sample): Promise<void> {
    const damaged = sample.bytes.slice();
    damaged[this.random.below(damaged.length)]! ^= 1;
    const absent = digestBlob(blobOf(77, this.random.below(1000) + 1000));
    expect(await codeOf(this.#store.write(damaged, { expect: absent }))).toBe('digest_mismatch');
    const error = new Error('the source broke');
    await expectSourceError(this.subject, this.#store.write(failingSource([damaged], error)), error);
  }

  async #delete(): Promise<void> {
    const count = this.random.between(1, 4);
    const chosen = [...this.#samples].sort(() => this.random.below(3) - 1).slice(0, count);
    const hexes = chosen.map(({ digest }) => hashHex(digest.hash));
    const want = hexes.map((hex) => this.#model.has(hex));
    expect(await this.#store.delete(chosen.map(({ digest }) => digest.hash))).toEqual(want);
    for (const hex of hexes) this.#model.delete(hex);
  }

  async #read(sample: Sample, hex: string): Promise<void> {
    if (!this.#model.has(hex)) {
      expect(await this.#store.open(sample.digest.hash)).toBeUndefined();
      return;
    }
    const handle = await openBlob(this.#store, sample.digest.hash);
    for (let i = 0; i < 4; i++) {
      const start = this.random.between(0, sample.bytes.length);
      const end = this.random.between(start, Math.min(sample.bytes.length, start + limits.readBytesMax));
      expectSameBytes(await handle.read({ start, end }), sample.bytes.subarray(start, end));
    }
    await handle.close();
  }

  /** Keeps a handle open over what comes next, deletions too where the store can. */
  async #hold(sample: Sample, hex: string): Promise<void> {
    if (!this.subject.readsAfterDelete || !this.#model.has(hex)) return;
    this.#held.push({ handle: await openBlob(this.#store, sample.digest.hash), bytes: sample.bytes });
    if (this.#held.length > 5) await this.#releaseOne();
  }

  async #releaseOne(): Promise<void> {
    const { handle, bytes } = this.#held.shift()!;
    expectSameBytes(await readAll(handle), bytes);
    await handle.close();
  }

  async #release(): Promise<void> {
    while (this.#held.length > 0) await this.#releaseOne();
  }

  async #stat(): Promise<void> {
    const asked = Array.from({ length: 20 }, () => this.random.pick(this.#samples).digest);
    const want = asked.map(({ hash }) => this.#model.get(hashHex(hash))?.digest.size);
    const stats = await this.#store.stat(asked.map(({ hash }) => hash));
    expect(stats.map((stat) => stat?.size)).toEqual(want);
    if (!this.subject.usage) return;
    const bytes = [...this.#model.values()].reduce((sum, { digest }) => sum + digest.size, 0);
    expect(await this.#store.usage()).toEqual({ blobs: this.#model.size, bytes });
  }

  async #list(): Promise<void> {
    const after = this.random.chance(0.5) ? toHash(this.random.bytes(32)) : undefined;
    const limit = this.random.between(1, 40);
    const from = after === undefined ? '' : hashHex(after);
    const want = [...this.#model.keys()].filter((hex) => hex > from).sort();
    const listed = await this.#store.list({ after, limit });
    expect(listed.map(({ hash }) => hashHex(hash))).toEqual(want.slice(0, limit));
    for (const { hash, size } of listed) expect(size).toBe(this.#model.get(hashHex(hash))?.digest.size);
  }
}
