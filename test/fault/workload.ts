// A seeded life of a store: groups of concurrent writes, deletes, reads, lists and maintenance over a handful of blobs,
// every promise and every doubt noted in a ledger.

import { expect } from 'vitest';
import type { BlobSource, WriteOptions } from '../../src/base/blob-store.js';
import { errorCode } from '../../src/base/errors.js';
import { randomSplit, type SeededRandom } from '../support/random.js';
import { blobs, readWhole, type TestBlob } from './blobs.js';
import { presences } from './inspect.js';
import type { Allowed, Ledger } from './ledger.js';
import type { Machine } from './machine.js';
import { loiter } from './slow-file-system.js';

export interface Life {
  readonly machine: Machine;
  readonly ledger: Ledger;
  readonly random: SeededRandom;
  /** Called with what a write or delete was refused with; throws when that is not to be. */
  readonly onRefused: (error: unknown) => void;
  /** How often the disk has failed; endless from a failed sync on. A list is no promise while it does. */
  readonly failures?: () => number;
}

/** Runs so many groups. What is visible between them is what was acknowledged. */
export async function live(life: Life, groups: number, label: string): Promise<void> {
  for (let group = 0; group < groups; group++) {
    await Promise.all(begin(life));
    await expectVisible(life, `${label}, after group ${group}`);
  }
}

/** Begins a group. */
export function begin(life: Life): Promise<void>[] {
  return Array.from({ length: life.random.between(1, 6) }, () => act(life));
}

async function expectVisible({ machine, ledger }: Pick<Life, 'machine' | 'ledger'>, label: string): Promise<void> {
  const found = await presences(machine);
  const want = ledger.whileRunning();
  expect(found, label).toEqual(want.map((allowed: Allowed, i) => (allowed === 'either' ? found[i] : allowed)));
}

async function act(life: Life): Promise<void> {
  const { random, machine, ledger } = life;
  await loiter(random);
  const dice = random.below(100);
  if (dice < 10) return writeMany(life);
  if (dice < 40) return write(life, random.below(blobs.length));
  if (dice < 70) return remove(life);
  if (dice < 80) return read(life, random.pick(blobs));
  const done = ledger.beginPromise();
  if (dice < 90) {
    const failures = life.failures?.() ?? 0;
    await machine.store.list({ limit: 1000 });
    if (failures < Number.POSITIVE_INFINITY && failures === (life.failures?.() ?? 0)) done();
  } else {
    const writers = random.chance(0.5) ? writeAbsent(life) : undefined;
    const before = machine.reports.length;
    const ran = await machine.clock.runNext();
    const failed = machine.reports.slice(before).filter(({ level }) => level === 'error');
    for (const { details } of failed) life.onRefused(details.err);
    if (ran && failed.length === 0) done();
    await writers;
  }
}

/** Writes deleted blobs for as long as maintenance may be looking at their tombstones. */
async function writeAbsent(life: Life): Promise<void> {
  const { random, machine } = life;
  for (let turn = 0; turn < 6; turn++) {
    await loiter(random);
    const found = await presences(machine);
    const absent = found.flatMap((presence, i) => (presence === 'absent' ? [i] : []));
    if (absent.length > 0) await Promise.all([write(life, random.pick(absent)), write(life, random.pick(absent))]);
  }
}

async function write(life: Life, index: number): Promise<void> {
  const { machine, ledger, random } = life;
  const blob = blobs[index]!;
  const { source, options, wrong } = randomWrite(random, blob);
  const end = ledger.begin(index, 'present');
  try {
    await machine.store.write(source, options);
    end('acknowledged');
  } catch (error) {
    if (errorCode(error) === 'digest_mismatch' && wrong) return end('nothing happened');
    end('refused');
    life.onRefused(error);
  }
}

async function writeMany({ machine, ledger, random, onRefused }: Life): Promise<void> {
  const chosen = Array.from({ length: random.between(1, 8) }, () => random.below(blobs.length));
  const named = chosen.map((index) => {
    const { bytes, digest } = blobs[index]!;
    const wrong = bytes.length > 0 && random.chance(0.05);
    return { digest, bytes: wrong ? bytes.subarray(1) : bytes, wrong };
  });
  const ends = chosen.map((index) => ledger.begin(index, 'present'));
  try {
    const answers = await machine.store.writeMany(named);
    for (const [i, answer] of answers.entries()) {
      if (!(answer instanceof Error)) ends[i]!('acknowledged');
      else if (named[i]!.wrong && errorCode(answer) === 'digest_mismatch') ends[i]!('nothing happened');
      else {
        ends[i]!('refused');
        onRefused(answer);
      }
    }
  } catch (error) {
    for (const end of ends) end('refused');
    onRefused(error);
  }
}

function randomWrite(random: SeededRandom, { bytes, digest }: TestBlob) {
  const wrong = random.chance(0.05);
  const announced = random.chance(0.5);
  const source: BlobSource = random.chance(0.5) ? bytes : inPieces(random, wrong ? bytes.subarray(1) : bytes);
  const options: WriteOptions = announced || wrong ? { expect: digest } : {};
  return { source, options, wrong: wrong && !(source instanceof Uint8Array) };
}

async function* inPieces(random: SeededRandom, bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (const piece of randomSplit(random, bytes, 40_000)) {
    await loiter(random);
    yield piece;
  }
}

async function remove(life: Life): Promise<void> {
  const { machine, ledger, random } = life;
  const chosen = Array.from({ length: random.pick([1, 1, 1, 2, 4, 8]) }, () => random.below(blobs.length));
  const ends = chosen.map((index) => ledger.begin(index, 'absent'));
  try {
    await machine.store.delete(chosen.map((index) => blobs[index]!.digest.hash));
    for (const end of ends) end('acknowledged');
  } catch (error) {
    for (const end of ends) end('refused');
    life.onRefused(error);
  }
}

/** A blob is there as a whole, or not at all. */
async function read({ machine }: Life, { digest, bytes, hex }: TestBlob): Promise<void> {
  const found = await readWhole(machine.store, digest.hash);
  expect(found === undefined || Buffer.compare(found, bytes) === 0, hex).toBe(true);
}
