// A store whose rows do not all fit into memory answers as one where they do, through restarts of every kind. The oracle is
// a map.

import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type BlobHash, type Digest, hashHex, toHash } from '../../src/base/digest.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import type { LocalStore } from '../../src/cas/local-store.js';
import { openStoreIn } from '../support/local-store.js';
import { type SeededRandom, seededRandom, testRounds, testSeed } from '../support/random.js';

const segmentBytesTarget = 20_000;

interface Life {
  readonly random: SeededRandom;
  readonly stored: Map<string, Digest>;
  directory: string;
  store: LocalStore;
}

function open(directory: string, random: SeededRandom): Promise<LocalStore> {
  return openStoreIn(directory, {
    segmentBytesTarget,
    // No row; some two hundred; all of them.
    indexMemoryBytes: random.pick([0, 16_384, 2 ** 26]),
    tableSaveChangesMin: random.pick([1, 100, 10_000]),
    maintenanceIntervalMilliseconds: 1,
  });
}

async function write({ store, stored, random }: Life): Promise<void> {
  const blobs = Array.from({ length: random.between(1, 150) }, () => {
    const bytes = random.bytes(random.pick([1, 40, 200]));
    return { bytes, digest: digestBlob(bytes) };
  });
  for (const answer of await store.writeMany(blobs)) expect(answer).not.toBeInstanceOf(Error);
  for (const { digest } of blobs) stored.set(hashHex(digest.hash), digest);
}

function someOf({ stored, random }: Life, count: number): Digest[] {
  const all = [...stored.values()];
  return all.length === 0 ? [] : Array.from({ length: count }, () => random.pick(all));
}

async function remove(life: Life): Promise<void> {
  const hashes = new Map(someOf(life, life.random.between(1, 60)).map(({ hash }) => [hashHex(hash), hash]));
  expect(await life.store.delete([...hashes.values()])).toEqual(Array.from(hashes, () => true));
  for (const hex of hashes.keys()) life.stored.delete(hex);
}

async function writeAgain(life: Life): Promise<void> {
  const bytes = life.random.bytes(30);
  const existed = [];
  for (let i = 0; i < 3; i++) existed.push((await life.store.write(bytes)).existed);
  expect(existed).toEqual([false, true, true]);
  const { digest } = await life.store.write(bytes);
  life.stored.set(hashHex(digest.hash), digest);
}

async function ask(life: Life): Promise<void> {
  const { store, stored, random } = life;
  const hashes: BlobHash[] = someOf(life, 100).map(({ hash }) => hash);
  for (let i = 0; i < 100; i++) hashes.splice(random.below(hashes.length + 1), 0, toHash(random.bytes(32)));
  const stats = await store.stat(hashes);
  expect(stats.map((stat) => stat?.size)).toEqual(hashes.map((hash) => stored.get(hashHex(hash))?.size));
  const [one] = someOf(life, 1);
  if (one === undefined) return;
  const handle = await store.open(one.hash);
  expect(digestBlob((await handle?.read({ start: 0, end: one.size }))!)).toEqual(one);
  await handle?.close();
}

async function checkAll({ store, stored }: Life): Promise<void> {
  const listed: string[] = [];
  for (let after: BlobHash | undefined; ; ) {
    const page = await store.list({ after, limit: 700 });
    listed.push(...page.map(({ hash, size }) => `${hashHex(hash)} ${size}`));
    if (page.length < 700) break;
    after = page.at(-1)!.hash;
  }
  expect(listed).toEqual([...stored].map(([hex, { size }]) => `${hex} ${size}`).sort());
  let bytes = 0;
  for (const { size } of stored.values()) bytes += size;
  expect(await store.usage()).toEqual({ blobs: stored.size, bytes });
}

async function restart(life: Life): Promise<void> {
  const { random } = life;
  if (random.chance(0.5)) {
    await life.store.close();
    life.store = await open(life.directory, random);
    return;
  }
  // What a killed process leaves: its files as they are, at a moment when nothing is being written.
  await life.store.close();
  life.store = await openStoreIn(life.directory, { segmentBytesTarget, indexMemoryBytes: random.pick([0, 2 ** 26]) });
  await write(life);
  if (random.chance(0.5)) await life.store.list({ limit: 1 });
  await remove(life);
  const copy = `${life.directory}x`;
  await cp(life.directory, copy, { recursive: true });
  await life.store.close();
  await rm(life.directory, { recursive: true });
  life.directory = copy;
  life.store = await open(copy, random);
}

describe('a store with little memory for its index', () => {
  it('does what a map does', { timeout: 120_000 * testRounds() }, async () => {
    const random = seededRandom(testSeed('index beyond memory'));
    for (let round = 0; round < 4 * testRounds(); round++) {
      const directory = await mkdtemp(join(tmpdir(), 'cairn-test-'));
      const life: Life = { random, stored: new Map(), directory, store: await open(directory, random) };
      for (let step = 0; step < 40; step++) {
        const act = random.pick([write, write, write, remove, remove, writeAgain, ask, ask, ask, checkAll, restart]);
        await act(life);
      }
      await ask(life);
      await checkAll(life);
      await life.store.close();
      await rm(life.directory, { recursive: true });
    }
  });
});
