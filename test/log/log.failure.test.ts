import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CairnError, errorCode } from '../../src/base/errors.js';
import type { OpenFile } from '../../src/log/file-system.js';
import type { RecordPlace } from '../../src/log/record.js';
import { FaultFileSystem, type Operation } from '../support/fault-file-system.js';
import { append, idsOf, numbered, openLog, payloadOf, readPayload, segmentPath } from './harness.js';

/** Files whose next write reaches the disk as a whole and fails all the same. */
class DeceitfulFileSystem extends FaultFileSystem {
  failsNextWrite = false;
  failsCuts = false;

  override async create(path: string): Promise<OpenFile> {
    const file = await super.create(path);
    return {
      ...file,
      write: async (pieces, position) => {
        await file.write(pieces, position);
        if (!this.failsNextWrite) return;
        this.failsNextWrite = false;
        throw new CairnError('no_space', 'the disk is full');
      },
      truncate: async (size) => {
        if (this.failsCuts) throw new CairnError('storage', 'the file cannot be cut');
        await file.truncate(size);
      },
    };
  }
}

/** One sync fails and takes the bytes with it; whoever asks again, or asked at the same time, is told that all is well. */
class SyncFailsOnce extends FaultFileSystem {
  failsNext = false;

  override async create(path: string): Promise<OpenFile> {
    const file = await super.create(path);
    const sync = async () => {
      if (!this.failsNext) return file.sync();
      this.failsNext = false;
      this.inject = () => 'io_error';
      const failed = file.sync();
      this.inject = () => undefined;
      return failed;
    };
    return { ...file, sync };
  }
}

/** Files whose syncs take a while. */
class CountsSyncs extends FaultFileSystem {
  atOnceMax = 0;
  #atOnce = 0;

  override async create(path: string): Promise<OpenFile> {
    const file = await super.create(path);
    const sync = async () => {
      this.atOnceMax = Math.max(this.atOnceMax, ++this.#atOnce);
      await setImmediate();
      await file.sync();
      this.#atOnce--;
    };
    return { ...file, sync };
  }
}

const failing = (wanted: Operation['name'], fault: 'io_error' | 'no_space') => (operation: Operation) =>
  operation.name === wanted ? fault : undefined;

describe('a failed write', () => {
  it.each([{ cut: 'works' }, { cut: 'fails' }])(
    'leaves no record behind, not even whole ones behind a shorter record, when the cut $cut',
    async ({ cut }) => {
      const fs = new DeceitfulFileSystem();
      fs.failsCuts = cut === 'fails';
      const { log } = await openLog(fs);
      await append(log, numbered(1));
      fs.failsNextWrite = true;
      // 2 is longer than 5 will be; 3 and 4 lie whole behind it, and could be found again.
      const rejected = await Promise.allSettled([
        append(log, numbered(2, 3000)),
        append(log, numbered(3, 0)),
        append(log, numbered(4, 0)),
      ]);
      expect(rejected.map((result) => result.status === 'rejected' && result.reason.code)).toEqual(
        Array(3).fill('no_space'),
      );
      await append(log, numbered(5, 10));
      expect(log.segments()).toHaveLength(cut === 'works' ? 1 : 2);
      log.roll();
      await append(log, numbered(6));
      await log.close();

      const again = await openLog(fs);
      expect(idsOf(again.visited)).toEqual([1, 5, 6]);
      const scanned: number[] = [];
      for (const { id } of again.log.segments().filter(({ sealed }) => sealed)) {
        const report = await again.log.scan(id, (record) => void scanned.push(...idsOf([record])));
        expect(report.damagedBytes).toBe(0);
      }
      expect(scanned).toEqual([1, 5]);
      await again.log.close();
    },
  );

  it('is told to the witness of each record it befell, as a success is, in order', async () => {
    const fs = new DeceitfulFileSystem();
    const { log } = await openLog(fs);
    await append(log, numbered(0));
    const told: string[] = [];
    const witness = (name: string) => ({
      durable: (index: number, { segment }: RecordPlace) => void told.push(`${name} ${index} in ${segment}`),
      failed: (index: number, error: unknown) => void told.push(`${name} ${index} ${errorCode(error)}`),
    });
    fs.failsNextWrite = true;
    log.enqueue(numbered(1, 9000), witness('first'), 7);
    log.enqueue(numbered(2), witness('first'), 8);
    await expect(append(log, numbered(3))).rejects.toMatchObject({ code: 'no_space' });
    log.enqueue(numbered(4), witness('second'), 0);
    log.enqueue(numbered(5, 9000), witness('second'), 1);
    await append(log, numbered(6));
    expect(told).toEqual(['first 7 no_space', 'first 8 no_space', 'second 0 in 1', 'second 1 in 1']);
    await log.close();
    expect(() => log.enqueue(numbered(7), witness('third'), 0)).toThrow(
      expect.objectContaining({ code: 'unavailable' }),
    );
    expect(told).toHaveLength(4);
    expect(idsOf((await openLog(fs)).visited)).toEqual([0, 4, 5, 6]);
  });

  it('stays forgotten when the segment that knew the end is removed', async () => {
    const fs = new DeceitfulFileSystem();
    fs.failsCuts = true;
    const { log } = await openLog(fs);
    await append(log, numbered(1));
    fs.failsNextWrite = true;
    await expect(append(log, numbered(2))).rejects.toMatchObject({ code: 'no_space' });
    await append(log, numbered(3));
    log.roll();
    await append(log, numbered(4));
    await log.remove(2);
    const after = await openLog(fs.crash(1));
    expect(idsOf(after.visited)).toEqual([1, 4]);
  });

  it('stays forgotten when the process dies before the cut is durable, and the next one removes that segment', async () => {
    const fs = new DeceitfulFileSystem();
    fs.failsCuts = true;
    const { log } = await openLog(fs);
    await append(log, numbered(1));
    fs.failsNextWrite = true;
    await expect(append(log, numbered(2))).rejects.toMatchObject({ code: 'no_space' });
    await append(log, numbered(3));
    log.roll();
    await append(log, numbered(4));
    let dies = () => {};
    const died = new Promise<void>((resolve) => {
      dies = resolve;
    });
    const { open } = fs;
    fs.open = async (path, mode) => {
      const file = await open.call(fs, path, mode);
      if (file === undefined || path !== segmentPath(1)) return file;
      const sync = () => {
        dies();
        return new Promise<never>(() => {});
      };
      return { ...file, sync };
    };
    void log.remove(2);
    await died;
    fs.open = open;
    const next = await openLog(fs);
    await next.log.remove(2);
    for (let seed = 0; seed < 20; seed++) {
      expect(idsOf((await openLog(fs.crash(seed))).visited)).toEqual([1, 4]);
    }
  });

  it('of the header of a new segment rejects, and the next append tries again', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs);
    await append(log, numbered(1));
    log.roll();
    fs.inject = failing('write', 'no_space');
    await expect(append(log, numbered(2))).rejects.toMatchObject({ code: 'no_space' });
    fs.inject = failing('create', 'io_error');
    await expect(append(log, numbered(3))).rejects.toMatchObject({ code: 'storage' });
    fs.inject = () => undefined;
    const place = await append(log, numbered(4));
    expect(place.segment).toBe(4);
    for (let seed = 0; seed < 20; seed++) {
      expect(idsOf((await openLog(fs.crash(seed))).visited)).toEqual([1, 4]);
    }
  });

  it('is taken back by a sync of its own turn, beside none that was asked for', async () => {
    const fs = new CountsSyncs();
    const { log } = await openLog(fs, { durability: 'memory' });
    await append(log, numbered(1));
    fs.inject = failing('write', 'no_space');
    const rejected = append(log, numbered(2));
    const synced = Array.from({ length: 20 }, () => log.sync());
    await expect(rejected).rejects.toMatchObject({ code: 'no_space' });
    await Promise.all(synced);
    expect(fs.atOnceMax).toBe(1);
    await log.close();
  });

  it('does not pile up segments while the disk stays full', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs);
    await append(log, numbered(1));
    fs.inject = failing('write', 'no_space');
    for (let i = 0; i < 10; i++) {
      await expect(append(log, numbered(2))).rejects.toMatchObject({ code: 'no_space' });
    }
    expect(fs.paths()).toEqual([segmentPath(1)]);
    fs.inject = () => undefined;
    const place = await append(log, numbered(3, 500));
    expect(await readPayload(log, place)).toEqual(payloadOf(3, 500));
  });
});

describe('a failed sync', () => {
  it('poisons: every later append is refused, reads go on, and it is said once', async () => {
    const fs = new FaultFileSystem();
    const told: CairnError[] = [];
    const { log } = await openLog(fs, { onPoisoned: (error) => told.push(error) });
    const place = await append(log, numbered(1));
    const { end } = log;
    fs.inject = failing('sync', 'io_error');
    const batch = [append(log, numbered(2)), append(log, numbered(3))];
    for (const appended of batch) await expect(appended).rejects.toMatchObject({ code: 'storage' });
    fs.inject = () => undefined;
    await expect(append(log, numbered(4))).rejects.toMatchObject({ code: 'storage' });
    await expect(log.remove(1)).rejects.toMatchObject({ code: 'storage' });
    await log.waitForRoom();
    expect(log.end).toEqual(end);
    expect(told.map(({ code }) => code)).toEqual(['storage']);
    expect(await readPayload(log, place)).toEqual(payloadOf(1, 100));
    await log.close();
    const { visited } = await openLog(fs.crash(3));
    expect(idsOf(visited)[0]).toBe(1);
  });

  it('fails those that were asked for beside it, too, and seals no segment', async () => {
    const fs = new SyncFailsOnce();
    const { log } = await openLog(fs, { durability: 'memory' });
    await append(log, numbered(1));
    log.roll();
    fs.failsNext = true;
    const outcomes = await Promise.allSettled([log.sync(), log.sync(), append(log, numbered(2))]);
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && errorCode(outcome.reason))).toEqual(
      Array(3).fill('storage'),
    );
    expect(fs.paths()).toEqual([segmentPath(1)]);
    for (let seed = 0; seed < 20; seed++) {
      const again = await openLog(fs.crash(seed));
      for (const { place } of again.visited) expect(await readPayload(again.log, place)).toEqual(payloadOf(1, 100));
    }
  });

  it.each(['sync', 'syncDirectory'] as const)('poisons while a segment begins (%s)', async (name) => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs);
    fs.inject = failing(name, 'io_error');
    await expect(append(log, numbered(1))).rejects.toMatchObject({ code: 'storage' });
    fs.inject = () => undefined;
    await expect(append(log, numbered(2))).rejects.toMatchObject({ code: 'storage' });
  });

  it('leaves no header behind that could come back and seal a segment that has grown since', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs);
    await append(log, numbered(1));
    log.roll();
    // The new segment's file is whole and durable, its name is not, and neither is the name's removal.
    fs.inject = failing('syncDirectory', 'io_error');
    await expect(append(log, numbered(2))).rejects.toMatchObject({ code: 'storage' });
    fs.inject = () => undefined;
    await log.close();
    const again = await openLog(fs, { from: log.end });
    expect((await append(again.log, numbered(3))).segment).toBe(1);
    for (let seed = 0; seed < 50; seed++) {
      expect(idsOf((await openLog(fs.crash(seed))).visited)).toEqual([1, 3]);
    }
  });

  it("of 'memory' mode poisons too, what waits included", async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs, { durability: 'memory' });
    await append(log, numbered(1));
    fs.inject = failing('sync', 'io_error');
    const waiting = append(log, numbered(2));
    const [synced, appended] = await Promise.allSettled([log.sync(), waiting]);
    expect([synced.status, appended.status]).toEqual(['rejected', 'rejected']);
    await expect(append(log, numbered(3))).rejects.toMatchObject({ code: 'storage' });
  });

  it('of the tail fails the open', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs);
    await append(log, numbered(1));
    const crashed = fs.crash(1);
    crashed.inject = failing('sync', 'io_error');
    await expect(openLog(crashed)).rejects.toMatchObject({ code: 'storage' });
  });

  it('of the last segment fails the close, which leaves no file open', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs, { durability: 'memory' });
    await append(log, numbered(1));
    log.roll();
    await append(log, numbered(2));
    fs.inject = failing('sync', 'io_error');
    await expect(log.close()).rejects.toMatchObject({ code: 'storage' });
    expect(fs.openPaths()).toEqual([]);
  });
});

describe('a segment that cannot be closed', () => {
  it('is removed, and who must know of it is told', async () => {
    const fs = new FaultFileSystem();
    const removed: number[] = [];
    const { log } = await openLog(fs, { onRemoved: (segment) => removed.push(segment) });
    await append(log, numbered(1));
    log.roll();
    await append(log, numbered(2));
    await log.close();
    const { open } = fs;
    fs.open = async (path, mode) => {
      const file = await open.call(fs, path, mode);
      if (file === undefined || path !== segmentPath(1)) return file;
      const close = async () => {
        throw new CairnError('storage', 'the file cannot be closed');
      };
      return { ...file, close };
    };
    const again = await openLog(fs, { onRemoved: (segment) => removed.push(segment) });
    await again.log.remove(1).catch(() => {});
    expect(removed).toEqual([1]);
    expect(again.log.segments().map(({ id }) => id)).toEqual([2]);
  });
});

describe('a system without a descriptor to spare', () => {
  it('refuses an append that begins a segment, and poisons nothing', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs);
    const { syncDirectory } = fs;
    fs.syncDirectory = async () => {
      throw new CairnError('overloaded', 'too many open files');
    };
    await expect(append(log, numbered(1))).rejects.toMatchObject({ code: 'overloaded' });
    fs.syncDirectory = syncDirectory;
    await append(log, numbered(2));
    await log.close();
    expect(idsOf((await openLog(fs.crash(1))).visited)).toEqual([2]);
  });
});

describe('a caller who cannot take in what became durable', () => {
  it('is told by its own append, and holds up no other', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs);
    const first = append(log, numbered(1));
    const second = log.append(numbered(2), () => {
      throw new CairnError('storage', 'the index cannot be read');
    });
    const third = append(log, numbered(3));
    await first;
    await expect(second).rejects.toMatchObject({ code: 'storage' });
    const { segment, offset, length } = await third;
    expect(log.end).toEqual({ segment, offset: offset + length });
    await append(log, numbered(4));
    await log.close();
  });
});
