// The machine stops in every operation of a scripted life of a store, in the middle of recoveries too, and starts again
// with every choice of what survived.

import { describe, expect, it } from 'vitest';
import type { Durability } from '../../src/base/blob-store.js';
import { withinAMinute } from '../support/hang.js';
import { type SeededRandom, seededRandom, testRounds, testSeed } from '../support/random.js';
import { blobs, freshBlobs } from './blobs.js';
import { inspect, inspectFiles, presences } from './inspect.js';
import { type Allowed, Ledger, type Presence } from './ledger.js';
import { crashDisk, type Disk, emptyDisk, lastOn, Machine } from './machine.js';
import { loiter } from './slow-file-system.js';
import { begin, live } from './workload.js';

/** What one stop of the machine left. */
interface Wreck {
  readonly disk: Disk;
  readonly allowed: readonly Allowed[];
  readonly label: string;
}

/** Collects a wreck before each operation on a disk. */
class Wrecker {
  readonly wrecks: Wreck[] = [];
  readonly #disk: Disk;
  readonly #random: SeededRandom;
  readonly #label: string;

  constructor(disk: Disk, random: SeededRandom, label: string, allowed: () => readonly Allowed[]) {
    this.#disk = disk;
    this.#random = random;
    this.#label = label;
    disk.fs.inject = () => {
      this.stop(allowed());
      return undefined;
    };
  }

  stop(allowed: readonly Allowed[]): Wreck {
    const seed = this.#random.below(2 ** 31);
    const label = `${this.#label}, stopped before operation ${this.#disk.fs.operations}, crash ${seed}`;
    const wreck = { disk: crashDisk(this.#disk, seed), allowed, label };
    this.wrecks.push(wreck);
    return wreck;
  }

  release(): void {
    this.#disk.fs.inject = () => undefined;
  }
}

interface Run {
  readonly durability: Durability;
  readonly random: SeededRandom;
  stops: number;
  compactions: number;
}

function expectNoErrors({ reports }: Machine, label: string): void {
  expect(
    reports.filter(({ level }) => level === 'error'),
    label,
  ).toEqual([]);
}

/** Starts on what a stop left, checks it, uses it, and stops once more. */
async function examine(run: Run, wreck: Wreck, stopsInRecovery: boolean): Promise<void> {
  const { random, durability } = run;
  const { disk, allowed, label } = wreck;
  run.stops++;
  const wrecker = stopsInRecovery ? new Wrecker(disk, random, `${label}, in recovery`, () => allowed) : undefined;
  const machine = await Machine.start(disk, durability, random);
  wrecker?.release();
  await inspectFiles(machine, label);
  let found = await inspect(machine, allowed, label);
  for (const inner of wrecker?.wrecks ?? []) await examine(run, inner, false);

  const victim = random.below(blobs.length);
  const use = [
    () => Promise.all(freshBlobs.map(({ bytes }) => machine.store.write(bytes))),
    () => machine.store.delete([blobs[victim]!.digest.hash]),
  ];
  for (const step of random.chance(0.5) ? use : use.reverse()) await step();
  found = found.with(victim, 'absent');
  if (random.chance(0.5)) await machine.clock.runNext();
  await inspect(machine, found, `${label}, used`);
  expectNoErrors(machine, label);
  run.compactions += machine.reports.filter(({ message }) => message.startsWith('compacted')).length;
  await examineAgain(run, machine, found, label);
}

/** A second start, after a clean stop or another unclean one, with the index or without it, changes nothing. */
async function examineAgain(run: Run, before: Machine, found: readonly Presence[], label: string): Promise<void> {
  const { random, durability } = run;
  // Even in memory durability, what was listed is promised.
  const clean = random.chance(0.3);
  if (clean) await before.store.close();
  const seed = random.below(2 ** 31);
  const disk = crashDisk(before.disk, seed);
  const what = `${label}, then ${clean ? 'closed' : 'crashed'} ${seed}`;
  const machine = await Machine.start(disk, durability, random);
  await inspectFiles(machine, what);
  await inspect(machine, found, what);
  expect(await presences(machine, freshBlobs), what).toEqual(['present', 'present']);
  expectNoErrors(machine, what);
}

/** Several sessions of one store, each ended by a clean stop or a crash. */
async function liveThrough(run: Run, lifeSeed: number): Promise<void> {
  const { random, durability } = run;
  let disk = emptyDisk(lifeSeed);
  let allowed: readonly Allowed[] = blobs.map(() => 'absent');
  for (let session = 0; session < 3; session++) {
    const label = `${durability}, life ${lifeSeed}, session ${session}`;
    let ledger: Ledger | undefined;
    const now = () => ledger?.afterCrash() ?? allowed;
    const wrecker = new Wrecker(disk, random, label, now);
    const examineAll = async () => {
      for (const wreck of wrecker.wrecks.splice(0)) {
        await withinAMinute(examine(run, wreck, random.chance(0.05)), lastOn(wreck.disk, wreck.label));
      }
    };
    const last = lastOn(disk, label);
    const start = Machine.start(disk, durability, seededRandom(random.below(2 ** 31)));
    const machine = await withinAMinute(start, last);
    ledger = new Ledger(durability, await presences(machine));
    await examineAll();
    const onRefused = (error: unknown) => {
      throw new Error(`${label}: refused`, { cause: error });
    };
    const life = { machine, ledger, random: seededRandom(random.below(2 ** 31)), onRefused };
    for (let group = 0; group < 8; group++) {
      await withinAMinute(live(life, 1, label), last);
      await examineAll();
    }
    expectNoErrors(machine, label);
    const ending = random.pick(['closed', 'closed', 'crashed', 'killed'] as const);
    if (ending === 'closed') {
      const promised = ledger.beginPromise();
      await withinAMinute(machine.store.close(), last);
      promised();
    } else {
      const cut = Promise.all(begin(life));
      cut.catch(() => {});
      for (let turn = 0; turn < 5; turn++) await loiter(random);
      if (ending === 'killed') await machine.kill();
    }
    await examineAll();
    allowed = now();
    if (ending !== 'killed') disk = wrecker.stop(allowed).disk;
    wrecker.release();
  }
}

describe.each<{ durability: Durability; lives: number }>([
  { durability: 'disk', lives: 3 },
  { durability: 'memory', lives: 2 },
])("a crash of a store in '$durability' durability", ({ durability, lives }) => {
  const seed = testSeed(`crashes of the store, ${durability}`);

  it('at any operation loses no promise, and leaves nothing half done', { timeout: 600_000 }, async () => {
    let stops = 0;
    let compactions = 0;
    for (let life = 0; life < lives * testRounds(); life++) {
      // A life that fails is the first one of CAIRN_SEED=<its seed>.
      const lifeSeed = (seed + life) >>> 0;
      const run: Run = { durability, random: seededRandom(lifeSeed), stops: 0, compactions: 0 };
      await liveThrough(run, lifeSeed);
      stops += run.stops;
      compactions += run.compactions;
    }
    process.stdout.write(`${durability}: ${stops} stops examined, ${compactions} compactions after them\n`);
    expect(stops).toBeGreaterThan(200);
    expect(compactions).toBeGreaterThan(0);
  });
});
