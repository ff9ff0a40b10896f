// The machine stops in every operation of an upload session's life, and starts again with some choice of what survived.
// What was answered is durable: the session goes on at its offset, and the file has the bytes that were sent.

import { describe, expect, it } from 'vitest';
import { ByteBudget } from '../../src/base/byte-budget.js';
import { StagingFiles } from '../../src/cas/staging-files.js';
import type { Chunking } from '../../src/chunk/chunking.js';
import { FileService } from '../../src/file/file-service.js';
import { UploadSessions } from '../../src/file/upload-sessions.js';
import { KvState } from '../../src/meta/kv-state.js';
import { LevelKv } from '../../src/meta/level-kv.js';
import { MemoryRowDb } from '../../src/meta/memory-row-db.js';
import type { RowChange, RowDb } from '../../src/meta/row-db.js';
import { bytesOf, streamOf } from '../support/file-service.js';
import { withinAMinute } from '../support/hang.js';
import { ManualClock } from '../support/manual-clock.js';
import { randomSplit, type SeededRandom, seededRandom, testRounds, testSeed } from '../support/random.js';
import { crashDisk, type Disk, emptyDisk, Machine } from './machine.js';

interface Setting {
  readonly chunking: Chunking;
  readonly budgetBytes: number;
}

/** Metadata that is durable as soon as it is answered, and stops with the machine. */
function rowsOn(disk: Disk, rows: MemoryRowDb): RowDb {
  return {
    getMany: (keys) => rows.getMany(keys),
    cursor: (bounds, options) => rows.cursor(bounds, options),
    snapshot: () => rows.snapshot(),
    async write(changes: readonly RowChange[]) {
      if (disk.fs.crashed) throw new Error('the machine has stopped');
      await rows.write(changes);
    },
    close: async () => {},
  };
}

interface Running {
  readonly machine: Machine;
  readonly sessions: UploadSessions;
  readonly files: FileService;
}

async function start(disk: Disk, rows: MemoryRowDb, random: SeededRandom, setting: Setting): Promise<Running> {
  const machine = await Machine.start(disk, 'disk', random);
  const parts = {
    store: machine.store,
    kv: new LevelKv(await KvState.open(rowsOn(disk, rows)), 'test'),
    staging: await StagingFiles.open(machine.fs, '/data/staging'),
    clock: new ManualClock(),
    random,
    chunking: setting.chunking,
    budget: new ByteBudget(setting.budgetBytes),
    report: () => {},
  };
  return { machine, sessions: new UploadSessions(parts), files: new FileService(parts) };
}

/** What the client of a session knows. */
interface Client {
  uploadId: string | undefined;
  answered: number;
  fileId: string | undefined;
}

/** Brings the session to its end, from wherever it is. */
async function upload({ sessions }: Running, client: Client, bytes: Uint8Array, random: SeededRandom): Promise<void> {
  client.uploadId ??= (await sessions.create('name', bytes.length)).uploadId;
  const { uploadId } = client;
  const known = await sessions.info(uploadId).catch(() => undefined);
  if (known !== undefined) {
    expect(known.offset).toBeGreaterThanOrEqual(client.answered);
    for (let { offset } = known; offset < bytes.length; ) {
      const end = Math.min(bytes.length, offset + random.pick([1, 1000, 20_000, 60_000]));
      const pieces = randomSplit(random, bytes.subarray(offset, end), 20_000);
      offset = (await sessions.append(uploadId, offset, streamOf(pieces))).offset;
      expect(offset).toBe(end);
      client.answered = offset;
    }
  }
  client.fileId = (await sessions.complete(uploadId)).fileId;
}

/** The machine stops twice, and the third time the upload comes to its end. */
async function uploadOverStops(lifeSeed: number, setting: Setting): Promise<void> {
  const bytes = seededRandom(lifeSeed).bytes(200_000);
  const random = seededRandom(lifeSeed);
  const rows = new MemoryRowDb();
  const client: Client = { uploadId: undefined, answered: 0, fileId: undefined };
  let disk = emptyDisk(lifeSeed);
  // Sooner or later within the first life, and once more within the second.
  for (let life = 0; life < 2; life++) {
    const running = await start(disk, rows, random, setting);
    const last = disk.fs.operations + 1 + random.below(lifeSeed % 3 === 0 ? 20 : 150);
    disk.fs.inject = ({ number }) => (number === last ? 'crash' : undefined);
    await upload(running, client, bytes, random).catch((error: unknown) => {
      if (!disk.fs.crashed) throw error;
    });
    disk.fs.stop();
    await running.machine.kill();
    disk = crashDisk(disk, lifeSeed + life);
  }
  const running = await start(disk, rows, random, setting);
  await upload(running, client, bytes, random);
  const { info, bytes: read } = await running.files.open(client.fileId!);
  expect(info).toMatchObject({ version: 1, size: bytes.length });
  expect((await bytesOf(read())).equals(bytes), `life ${lifeSeed}`).toBe(true);
  await running.sessions.sweep();
  expect(running.machine.filesIn('staging')).toEqual([]);
  await running.machine.store.close();
}

describe('an upload session on a machine that stops', () => {
  const seed = testSeed('upload crash');

  it.each<{ name: string; setting: Setting }>([
    {
      name: 'gathered in memory',
      setting: { chunking: { kind: 'fastcdc', averageBytes: 4096 }, budgetBytes: 1 << 30 },
    },
    { name: 'gathered on the disk', setting: { chunking: { kind: 'fixed', chunkBytes: 90_000 }, budgetBytes: 0 } },
  ])('goes on where it said, $name', { timeout: 120_000 }, async ({ setting }) => {
    const stops = 60 * testRounds();
    for (let stop = 0; stop < stops; stop++) {
      const lifeSeed = (seed + stop) >>> 0;
      await withinAMinute(uploadOverStops(lifeSeed, setting), () => `life ${lifeSeed}`);
    }
  });
});
