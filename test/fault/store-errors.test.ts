// The disk fails or runs full under a living store: in every operation once, for a while, in the index, in compaction.
// The call that needed the disk says so with the right code, everybody else is served, and a restart finds every promise
// kept.

import { describe, expect, it } from 'vitest';
import type { Durability } from '../../src/base/blob-store.js';
import { CairnError, type ErrorCode, errorCode } from '../../src/base/errors.js';
import type { Fault, Operation } from '../support/fault-file-system.js';
import { withinAMinute } from '../support/hang.js';
import { seededRandom, testRounds, testSeed } from '../support/random.js';
import { blobs, freshBlobs } from './blobs.js';
import { inspect, inspectFiles, presences } from './inspect.js';
import { Ledger } from './ledger.js';
import { crashDisk, type Disk, emptyDisk, lastOn, Machine } from './machine.js';
import { type Life, live } from './workload.js';

type Failing = (operation: Operation) => Exclude<Fault, 'crash'> | undefined;

/** A sync that makes something durable which was promised. Nobody counts on the saved table, which lies in the root. */
const isSync = ({ name, path }: Operation) =>
  (name === 'sync' && !path.startsWith('/data/table')) || (name === 'syncDirectory' && path !== '/data');
const allAbsent = blobs.map(() => 'absent' as const);

async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | 'ok'> {
  return promise.then(
    () => 'ok',
    (error: unknown) => errorCode(error),
  );
}

interface Outcome {
  /** The operations that were made to fail. */
  readonly failed: readonly Operation[];
  readonly compactions: number;
  readonly indexFailures: number;
}

interface Plan {
  readonly durability: Durability;
  readonly seed: number;
  readonly failing: Failing;
  /** Chance that applying a batch to the index fails for want of space. */
  readonly indexFull?: number;
}

/** Lives on a failing disk, checks what is left of the store, and starts it again. */
function liveThrough(plan: Plan, label: string): Promise<Outcome> {
  const disk = emptyDisk(plan.seed);
  return withinAMinute(liveOn(disk, plan, label), lastOn(disk, label));
}

async function liveOn(disk: Disk, plan: Plan, label: string): Promise<Outcome> {
  const { durability, seed, failing, indexFull = 0 } = plan;
  const random = seededRandom(seed);
  const failed: Operation[] = [];
  let opening = true;
  const codes = new Set<ErrorCode>();
  disk.fs.inject = (operation) => {
    const fault = failing(operation);
    if (fault === undefined) return undefined;
    failed.push(operation);
    codes.add(isSync(operation) || fault === 'io_error' ? 'storage' : 'no_space');
    // Nothing is poisoned by a store that could not be opened.
    if (isSync(operation) && opening) codes.add(fault === 'io_error' ? 'storage' : 'no_space');
    return fault;
  };
  let indexFailures = 0;
  disk.index.inject = () => {
    if (!random.chance(indexFull)) return undefined;
    indexFailures++;
    codes.add('no_space');
    return new CairnError('no_space', 'the index has no room');
  };
  const onRefused = (error: unknown) => {
    if (!codes.has(errorCode(error))) throw new Error(`${label}: ${[...codes]} expected`, { cause: error });
  };

  const machine = await Machine.start(disk, durability, random).catch(onRefused);
  const ledger = new Ledger(durability, allAbsent);
  opening = false;
  const opened = failed.length;
  let compactions = 0;
  if (machine !== undefined) {
    const failures = () =>
      failed.slice(opened).some(isSync) ? Number.POSITIVE_INFINITY : failed.length + indexFailures;
    await live({ machine, ledger, random, onRefused, failures }, 6, label);
    const poisoned = failed.slice(opened).some(isSync);
    disk.fs.inject = () => undefined;
    disk.index.inject = () => undefined;
    if (!failed.some(({ name }) => name === 'remove')) expect(machine.filesIn('temp'), label).toEqual([]);
    await expectInOrder({ machine, ledger, random, onRefused }, poisoned, label);
    compactions = machine.reports.filter(({ message }) => message.startsWith('compacted')).length;
    const promised = ledger.beginPromise();
    disk.fs.inject = failingClose(failing, failed);
    await machine.store.close().then(poisoned ? () => {} : promised, () => {});
  }
  expect(disk.fs.openPaths(), `${label}, left open`).toEqual([]);
  disk.fs.inject = () => undefined;
  disk.index.inject = () => undefined;
  await expectRestart(crashDisk(disk, random.below(2 ** 31)), durability, ledger, random.below(2 ** 31), label);
  await expectRestart(disk, durability, ledger, random.below(2 ** 31), label);
  // Where a sync has failed, the process that started again read what the disk did not have, and wrote it again. Not so
  // the large files of memory durability.
  if (durability === 'memory' && failed.some(isSync)) return { failed, compactions, indexFailures };
  await expectRestart(crashDisk(disk, random.below(2 ** 31)), durability, ledger, random.below(2 ** 31), label);
  return { failed, compactions, indexFailures };
}

function failingClose(failing: Failing, failed: Operation[]) {
  return (operation: Operation) => {
    const fault = failing(operation);
    if (fault !== undefined) failed.push(operation);
    return fault;
  };
}

/** The disk is well again: everything works, but for writing when a sync has failed. */
async function expectInOrder(life: Life, poisoned: boolean, label: string): Promise<void> {
  const { machine, ledger } = life;
  const { store } = machine;
  const here = await presences(machine);
  if (poisoned) {
    for (const { bytes } of freshBlobs) expect(await codeOf(store.write(bytes)), label).toBe('storage');
    const present = blobs.filter((_, i) => here[i] === 'present').map(({ digest }) => digest.hash);
    for (const hash of present) expect(await codeOf(store.delete([hash])), label).toBe('storage');
  } else {
    for (const { bytes } of freshBlobs) await store.write(bytes);
    for (const { bytes, digest } of freshBlobs) {
      expect(await store.delete([digest.hash]), label).toEqual([true]);
      expect((await store.write(bytes)).existed, label).toBe(false);
    }
    await store.delete(freshBlobs.map(({ digest }) => digest.hash));
    await machine.clock.runNext();
  }
  await inspect(machine, ledger.whileRunning(), label);
}

async function expectRestart(disk: Disk, durability: Durability, ledger: Ledger, seed: number, label: string) {
  const machine = await Machine.start(disk, durability, seededRandom(seed));
  await inspectFiles(machine, `${label}, restarted`);
  const found = await inspect(machine, ledger.afterCrash(), `${label}, restarted`);
  for (const { bytes } of freshBlobs) await machine.store.write(bytes);
  await machine.store.delete(freshBlobs.map(({ digest }) => digest.hash));
  await inspect(machine, found, `${label}, restarted and used`);
}

describe.each<{ durability: Durability; fault: 'io_error' | 'no_space' }>([
  { durability: 'disk', fault: 'io_error' },
  { durability: 'disk', fault: 'no_space' },
  { durability: 'memory', fault: 'io_error' },
  { durability: 'memory', fault: 'no_space' },
])("a store in '$durability' durability on a disk with $fault", ({ durability, fault }) => {
  const seed = testSeed(`errors under the store, ${durability}, ${fault}`);

  it('bears it in any single operation', { timeout: 600_000 }, async () => {
    for (let round = 0; round < testRounds(); round++) {
      const lifeSeed = (seed + round) >>> 0;
      for (let failAt = 1; ; failAt++) {
        const label = `${durability}, ${fault}, life ${lifeSeed}, operation ${failAt}`;
        const failing: Failing = ({ number }) => (number === failAt ? fault : undefined);
        const { failed } = await liveThrough({ durability, seed: lifeSeed, failing }, label);
        if (failed.length === 0) break;
      }
    }
  });

  it('bears it for a while', { timeout: 600_000 }, async () => {
    let compactions = 0;
    let indexFailures = 0;
    for (let round = 0; round < 25 * testRounds(); round++) {
      const lifeSeed = (seed + round) >>> 0;
      const dice = seededRandom(lifeSeed);
      const begin = dice.between(15, 60);
      const end = begin + dice.between(5, 40);
      const chance = dice.pick([0.2, 1]);
      const failing: Failing = (operation) => {
        const fails = operation.number >= begin && operation.number < end && !isSync(operation) && dice.chance(chance);
        return fails ? fault : undefined;
      };
      const label = `${durability}, ${fault}, life ${lifeSeed}`;
      const outcome = await liveThrough({ durability, seed: lifeSeed, failing, indexFull: 0.3 }, label);
      compactions += outcome.compactions;
      indexFailures += outcome.indexFailures;
    }
    expect(indexFailures).toBeGreaterThan(0);
    expect(compactions).toBeGreaterThan(0);
  });
});
