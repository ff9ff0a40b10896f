// The machine stops in every operation of a scripted life of a log, and starts again with every choice of what survived.

import { describe, expect, it } from 'vitest';
import type { Durability } from '../../src/base/blob-store.js';
import { CairnError } from '../../src/base/errors.js';
import type { Log } from '../../src/log/log.js';
import type { LogPosition, RecordPlace, ScannedRecord } from '../../src/log/record.js';
import { CrashError, FaultFileSystem } from '../support/fault-file-system.js';
import { type SeededRandom, seededRandom, testRounds, testSeed } from '../support/random.js';
import { append, idOf, idsOf, numbered, openLog, payloadOf, readPayload } from './harness.js';

/** What the world outside knows of a log. */
class Ledger {
  /** Payload length of every record ever handed to the log; the index is its number. */
  readonly sizes: number[] = [];
  readonly rejected = new Set<number>();
  readonly acked = new Map<number, RecordPlace>();
  /** What must be there after a crash. */
  readonly durable = new Map<number, RecordPlace>();
  readonly removing = new Set<number>();
  readonly removed = new Set<number>();
  /** What an index over the log has kept, durably. */
  known: LogPosition | undefined;

  next(payloadBytes: number): number {
    this.sizes.push(payloadBytes);
    return this.sizes.length - 1;
  }

  settle(): void {
    for (const [id, place] of this.acked) this.durable.set(id, place);
  }
}

async function appendTo(
  log: Log,
  fs: FaultFileSystem,
  ledger: Ledger,
  random: SeededRandom,
  mode: Durability,
): Promise<void> {
  const id = ledger.next(random.below(random.pick([1, 100, 700, 3000, 140_000])));
  try {
    await log.append(numbered(id, ledger.sizes[id]!), (place) => {
      ledger.acked.set(id, place);
      if (mode === 'disk') ledger.durable.set(id, place);
    });
  } catch (error) {
    if (!(error instanceof CairnError && error.code === 'no_space')) throw error;
    // On a machine that has stopped meanwhile nobody was told.
    if (!fs.crashed) ledger.rejected.add(id);
  }
}

async function live(fs: FaultFileSystem, ledger: Ledger, random: SeededRandom, mode: Durability): Promise<void> {
  for (let session = 0; session < 3; session++) {
    const options = { durability: mode, segmentBytesTarget: 20_000, seed: random.below(1e9) };
    const { log } = await openLog(fs, { ...options, from: ledger.known });
    for (let step = 0; step < 6; step++) {
      const writers = Array.from({ length: random.between(1, 4) }, () => appendTo(log, fs, ledger, random, mode));
      await Promise.all(writers);
      if (random.chance(0.3)) log.roll();
      if (random.chance(0.4)) await syncAll(log, ledger);
      const oldest = log.segments()[0];
      if (random.chance(0.2) && oldest?.sealed) {
        ledger.removing.add(oldest.id);
        await log.remove(oldest.id);
        ledger.removed.add(oldest.id);
      }
    }
    await log.close();
    ledger.settle();
    ledger.known = log.end;
  }
}

async function syncAll(log: Log, ledger: Ledger): Promise<void> {
  const before = [...ledger.acked];
  const { end } = log;
  await log.sync();
  for (const [id, place] of before) ledger.durable.set(id, place);
  ledger.known = end;
}

/** Opens what a crash left, checks it against the ledger, and writes on. */
async function check(fs: FaultFileSystem, ledger: Ledger, label: string): Promise<void> {
  const onDamage = () => expect.fail(`${label}: a crash leaves no damage`);
  const { log, visited } = await openLog(fs, { segmentBytesTarget: 20_000, seed: 77, onDamage });
  const ids = idsOf(visited);
  expect(ids, label).toEqual([...new Set(ids)].sort((a, b) => a - b));
  const at = new Map(visited.map((record) => [idOf(record), record.place]));
  for (const [id, place] of ledger.durable) {
    if (!ledger.removing.has(place.segment)) expect(at.get(id), `${label}, record ${id}`).toEqual(place);
  }
  for (const record of visited) await checkVisited(log, ledger, record, label);
  if (ledger.known !== undefined) {
    const known = ledger.known;
    const isBehind = ({ segment, offset }: LogPosition) =>
      segment > known.segment || (segment === known.segment && offset >= known.offset);
    const fromKnown = await openLog(fs, { from: known });
    expect(idsOf(fromKnown.visited), label).toEqual(idsOf(visited.filter(({ place }) => isBehind(place))));
  }
  await append(log, numbered(1_000_000, 50));
  await log.close();
  const again = await openLog(fs.crash(ledger.sizes.length));
  expect(idsOf(again.visited), label).toEqual([...ids, 1_000_000]);
}

async function checkVisited(log: Log, ledger: Ledger, record: ScannedRecord, label: string): Promise<void> {
  const id = idOf(record);
  const what = `${label}, record ${id}`;
  expect(record.payloadBytes, what).toBe(ledger.sizes[id]);
  expect(ledger.removed.has(record.place.segment), what).toBe(false);
  expect(ledger.rejected.has(id), what).toBe(false);
  const payload = await readPayload(log, record.place);
  expect(Buffer.compare(payload, payloadOf(id, ledger.sizes[id]!)), what).toBe(0);
}

/** Lives until operation `stopAt`; undefined when the life was over before. */
async function liveUntil(stopAt: number, seed: number, mode: Durability, diskFullChance: number) {
  const fs = new FaultFileSystem(seed);
  const dice = seededRandom(seed + 1);
  fs.inject = ({ number, name }) => {
    if (number === stopAt) return 'crash';
    return name === 'write' && dice.chance(diskFullChance) ? 'no_space' : undefined;
  };
  const ledger = new Ledger();
  try {
    await live(fs, ledger, seededRandom(seed), mode);
  } catch (error) {
    if (!isCrash(error)) throw error;
    return { fs, ledger };
  }
  return undefined;
}

function isCrash(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (cause instanceof CrashError) return true;
  return false;
}

describe.each<{ mode: Durability; diskFull: number }>([
  { mode: 'disk', diskFull: 0 },
  { mode: 'memory', diskFull: 0 },
  { mode: 'disk', diskFull: 0.2 },
])("a crash in '$mode' mode, writes failing at $diskFull", ({ mode, diskFull }) => {
  const seed = testSeed(`crashes of the log, ${mode}, ${diskFull}`);

  it('at any operation keeps every acknowledged record and makes up none', { timeout: 120_000 }, async () => {
    const random = seededRandom(seed);
    let stops = 0;
    for (let life = 0; life < 2 * testRounds(); life++) {
      const lifeSeed = random.below(2 ** 31);
      for (let stopAt = 1; ; stopAt++) {
        const stopped = await liveUntil(stopAt, lifeSeed, mode, diskFull);
        if (stopped === undefined) break;
        stops++;
        for (let crash = 0; crash < 4; crash++) {
          const crashSeed = random.below(2 ** 31);
          const label = `life ${lifeSeed}, stopped at ${stopAt}, crash ${crashSeed}`;
          await check(stopped.fs.crash(crashSeed), stopped.ledger, label);
        }
      }
    }
    expect(stops).toBeGreaterThan(100);
  });
});
