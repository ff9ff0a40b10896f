// Moments that random lives meet too seldom: something slow in the log beside compaction.

import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { CairnError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import type { OpenFile } from '../../src/log/file-system.js';
import { FaultFileSystem } from '../support/fault-file-system.js';
import { seededRandom } from '../support/random.js';
import { blobs, readWhole, type TestBlob } from './blobs.js';
import { IndexDisk } from './index-disk.js';
import { type Disk, Machine } from './machine.js';

/** Files of the log wait before each write for as long as the gate is shut, then may find the disk full. */
class GatedFileSystem extends FaultFileSystem {
  #gate: Promise<void> | undefined;
  waiting = 0;

  /** The answer opens the gate again. */
  shut(failure?: CairnError): () => void {
    let open = () => {};
    this.#gate = new Promise((resolve, reject) => {
      open = () => {
        this.#gate = undefined;
        if (failure === undefined) resolve();
        else reject(failure);
      };
    });
    return open;
  }

  override async create(path: string): Promise<OpenFile> {
    const file = await super.create(path);
    if (!path.endsWith('.log')) return file;
    const write: OpenFile['write'] = async (pieces, position) => {
      this.waiting++;
      await this.#gate;
      return file.write(pieces, position);
    };
    return { ...file, write };
  }
}

const small = blobs.filter(({ digest }) => digest.size >= 1900 && digest.size <= 5000);
const [victim, keeper, a, b, c] = small as [TestBlob, TestBlob, TestBlob, TestBlob, TestBlob];

async function startGated(): Promise<{ fs: GatedFileSystem; disk: Disk; machine: Machine }> {
  const fs = new GatedFileSystem();
  const disk = { fs, index: new IndexDisk() };
  return { fs, disk, machine: await Machine.start(disk, 'disk', seededRandom(1)) };
}

async function writeAll({ store }: Machine, all: readonly TestBlob[]): Promise<void> {
  for (const { bytes } of all) await store.write(bytes);
}

async function deleteAll({ store }: Machine, all: readonly TestBlob[]): Promise<void> {
  await store.delete(all.map(({ digest }) => digest.hash));
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await setImmediate();
}

async function expectThere(machine: Machine, { digest, bytes }: TestBlob): Promise<void> {
  const found = await readWhole(machine.store, digest.hash);
  expect(found !== undefined && Buffer.compare(found, bytes) === 0).toBe(true);
}

/** Reads the whole log, and nothing else. */
async function restart({ fs }: Disk): Promise<Machine> {
  return Machine.start({ fs: fs.crash(1), index: new IndexDisk() }, 'disk', seededRandom(2));
}

it('a tombstone that compaction carries forward does not overtake a write of its blob', async () => {
  const { fs, disk, machine } = await startGated();
  // Segment 1 keeps the dead record; segment 2 has its tombstone, and little else that matters.
  await writeAll(machine, [victim, keeper, a, b]);
  await deleteAll(machine, [victim]);
  for (let round = 0; round < 3; round++) {
    await writeAll(machine, [c]);
    await deleteAll(machine, [c]);
  }

  const open = fs.shut();
  fs.waiting = 0;
  const writing = machine.store.write(victim.bytes);
  await until(() => fs.waiting > 0);
  const compacting = machine.clock.runNext();
  for (let turn = 0; turn < 50; turn++) await setImmediate();
  open();
  await Promise.all([writing, compacting]);
  const compacted = machine.reports.filter(({ message }) => message.startsWith('compacted'));
  expect(compacted.map(({ details }) => details.segment)).toEqual([2]);
  await expectThere(machine, victim);
  await expectThere(await restart(disk), victim);
});

it('compaction removes no segment that a delete under way may give back', async () => {
  const { fs, disk, machine } = await startGated();
  await writeAll(machine, [victim, a, b, c]);
  await deleteAll(machine, [a, b, c]);
  const open = fs.shut(new CairnError('no_space', 'the disk is full'));
  fs.waiting = 0;
  const deleting = machine.store.delete([victim.digest.hash]).catch((error: unknown) => error);
  await until(() => fs.waiting > 0);
  await machine.clock.runNext();
  open();
  expect(await deleting).toMatchObject({ code: 'no_space' });
  expect(machine.reports.filter(({ level }) => level === 'error')).toEqual([]);
  await expectThere(machine, victim);
  await expectThere(await restart(disk), victim);
});

it('tells each of many blobs what became of it when the disk is full for some of them', async () => {
  const { fs, disk, machine } = await startGated();
  const random = seededRandom(3);
  const many = Array.from({ length: limits.writeSliceCountMax + 30 }, () => {
    const bytes = random.bytes(100);
    return { digest: digestBlob(bytes), bytes };
  });
  await writeAll(machine, [a]);
  const open = fs.shut(new CairnError('no_space', 'the disk is full'));
  fs.waiting = 0;
  const writing = machine.store.writeMany(many);
  // Somebody else brings one of the blobs that are going to fail: it waits, and then does better.
  await until(() => fs.waiting > 0);
  const beside = machine.store.write(many[0]!.bytes);
  for (let turn = 0; turn < 10; turn++) await setImmediate();
  open();
  const answers = await writing;
  expect((await beside).existed).toBe(false);
  const failed = answers.filter((answer) => answer instanceof CairnError);
  expect(new Set(failed.map(({ code }) => code))).toEqual(new Set(['no_space']));
  // One commit was refused, the first.
  expect(failed.length).toBeLessThanOrEqual(limits.writeSliceCountMax);
  expect(answers.slice(failed.length).some((answer) => answer instanceof CairnError)).toBe(false);
  const want = many.map((_, i) => (i === 0 || i >= failed.length ? { size: 100 } : undefined));
  const hashes = many.map(({ digest }) => digest.hash);
  expect(await machine.store.stat(hashes)).toEqual(want);
  expect(await (await restart(disk)).store.stat(hashes)).toEqual(want);
});

it('keeps what many blobs bring while deletes of the same are under way', async () => {
  const { fs, disk, machine } = await startGated();
  await writeAll(machine, [a, b, c]);
  const open = fs.shut();
  fs.waiting = 0;
  const deleting = machine.store.delete([a, b].map(({ digest }) => digest.hash));
  await until(() => fs.waiting > 0);
  const writing = machine.store.writeMany([a, b, c]);
  for (let turn = 0; turn < 10; turn++) await setImmediate();
  open();
  expect(await deleting).toEqual([true, true]);
  expect((await writing).map((answer) => !(answer instanceof CairnError) && answer.existed)).toEqual([
    false,
    false,
    true,
  ]);
  for (const blob of [a, b, c]) {
    await expectThere(machine, blob);
    await expectThere(await restart(disk), blob);
  }
});

it('answers for no blob of many when a sync has failed, not even for one that was there', async () => {
  const { fs, machine } = await startGated();
  const big = blobs.find(({ digest }) => digest.size > limits.packedBlobBytesMax)!;
  await writeAll(machine, [a, big]);
  fs.inject = ({ name }) => (name === 'sync' ? 'io_error' : undefined);
  await expect(machine.store.write(b.bytes)).rejects.toMatchObject({ code: 'storage' });
  const answers = await machine.store.writeMany([a, big, c]);
  expect(answers).toEqual(Array(3).fill(expect.objectContaining({ code: 'storage' })));
});
