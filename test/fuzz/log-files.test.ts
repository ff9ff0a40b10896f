// Damaged segment files under a whole log: it opens or refuses, and what it then yields is what was written.

import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { Log } from '../../src/log/log.js';
import { nodeFileSystem } from '../../src/log/node-file-system.js';
import type { RecordPlace, ScannedRecord } from '../../src/log/record.js';
import { type SeededRandom, seededRandom } from '../support/random.js';
import { asyncAnswerOf, itFuzz, mutateBytes } from './fuzzing.js';

interface Written {
  readonly place: RecordPlace;
  readonly payload: Uint8Array;
}

let root: string;
let sound: string;
const written = new Map<string, Written>();
const names: string[] = [];

const parts = (directory: string, seed: number) => ({
  fs: nodeFileSystem,
  directory,
  durability: 'memory' as const,
  segmentBytesTarget: 100_000,
  random: seededRandom(seed),
  clock: systemClock,
});

function nameOf(record: { readonly meta: Uint8Array }): string {
  return Buffer.from(record.meta).toString();
}

async function append(log: Log, name: string, payload: Uint8Array): Promise<void> {
  await log.append({ type: 1, version: 1, meta: Buffer.from(name), payload }, (place) => {
    written.set(name, { place, payload });
    names.push(name);
  });
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'cairn-fuzz-'));
  sound = join(root, 'sound');
  const random = seededRandom(1);
  const log = await Log.open(parts(sound, 1), undefined, () => {});
  for (let i = 0; i < 40; i++) await append(log, `record ${i}`, random.bytes(random.pick([0, 10, 500, 5000, 70_000])));
  await log.close();
});

afterAll(() => rm(root, { recursive: true, force: true }));

async function damageOne(random: SeededRandom, directory: string): Promise<void> {
  const files = (await readdir(directory)).filter((name) => name.endsWith('.log'));
  const path = join(directory, random.pick(files));
  const bytes = await readFile(path);
  // Half the time near the start, where headers are.
  const from = random.chance(0.5) ? 0 : random.below(bytes.length);
  const length = Math.min(bytes.length - from, random.pick([64, 300, 5000]));
  const damaged = mutateBytes(random, bytes.subarray(from, from + length));
  await writeFile(path, Buffer.concat([bytes.subarray(0, from), damaged, bytes.subarray(from + length)]));
}

async function expectRecord(log: Log, record: ScannedRecord): Promise<void> {
  const original = written.get(nameOf(record));
  expect(original, `a record named ${nameOf(record)} was written`).toBeDefined();
  expect(record.place).toEqual(original!.place);
  const read = await asyncAnswerOf(
    async () => {
      const reader = await log.openRecord(record.place, record.place.length);
      try {
        return await reader.read({ start: 0, end: reader.payloadBytes });
      } finally {
        await reader.close();
      }
    },
    'corrupt',
    'not_found',
  );
  if (read !== undefined) expect(Buffer.compare(read, original!.payload)).toBe(0);
}

describe('damaged segments', () => {
  itFuzz('open, replay, read, append', { rounds: 300, millisecondsMax: 4000 }, async (random) => {
    const directory = join(root, `damaged-${random.seed}`);
    await cp(sound, directory, { recursive: true });
    try {
      for (let i = random.between(1, 3); i > 0; i--) await damageOne(random, directory);
      await openAndCheck(random, directory);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

async function openAndCheck(random: SeededRandom, directory: string): Promise<void> {
  const visited: ScannedRecord[] = [];
  const open = () => Log.open(parts(directory, random.seed), undefined, (record) => void visited.push(record));
  const log = await asyncAnswerOf(open, 'corrupt', 'failed_precondition', 'out_of_range');
  if (log === undefined) return;
  try {
    const order = visited.map((record) => names.indexOf(nameOf(record)));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(new Set(order).size).toBe(order.length);
    for (const record of visited) await expectRecord(log, record);
    for (const { place } of written.values()) {
      await asyncAnswerOf(async () => (await log.openRecord(place, 0)).close(), 'corrupt', 'not_found');
    }
    for (const { id, sealed } of log.segments()) if (sealed) await log.scan(id, () => {});
    await log.append({ type: 2, version: 1, meta: Buffer.from('after'), payload: random.bytes(100) }, () => {});
  } finally {
    await log.close();
  }
  const again: string[] = [];
  await (await Log.open(parts(directory, 2), undefined, (record) => void again.push(nameOf(record)))).close();
  expect(again).toEqual([...visited.map(nameOf), 'after']);
}
