import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import type { RecordPlace } from '../../src/log/record.js';
import type { DamagedStretch } from '../../src/log/scanner.js';
import { FaultFileSystem } from '../support/fault-file-system.js';
import { seededRandom, testSeed } from '../support/random.js';
import { append, directory, idOf, idsOf, numbered, openLog, payloadOf, readPayload, segmentPath } from './harness.js';

const { blockBytes } = limits;
const code = (code: string) => expect.objectContaining({ code });

describe('appending', () => {
  it('replays what was appended, in order, at its places', async () => {
    const fs = new FaultFileSystem();
    const { log, visited } = await openLog(fs);
    expect(visited).toEqual([]);
    expect(log.end).toEqual({ segment: 0, offset: 0 });
    const sizes = [0, 1, 7, 8, 9, 4096, blockBytes, blockBytes + 1, 3 * blockBytes + 5];
    const places: RecordPlace[] = [];
    for (const [id, size] of sizes.entries()) places.push(await append(log, numbered(id, size)));
    await log.close();
    const again = await openLog(fs);
    expect(again.visited.map(({ place }) => place)).toEqual(places);
    expect(again.visited.map(({ payloadBytes }) => payloadBytes)).toEqual(sizes);
    expect(again.visited.map(({ type }) => type)).toEqual(sizes.map((_, id) => 1 + (id % 3)));
    for (const [id, size] of sizes.entries()) {
      expect(Buffer.compare(await readPayload(again.log, places[id]!), payloadOf(id, size))).toBe(0);
    }
    expect(again.log.end).toEqual({ segment: 1, offset: places.at(-1)!.offset + places.at(-1)!.length });
  });

  it('acknowledges in order of call, each record before its promise, with the end moved when all were told', async () => {
    const { log } = await openLog(new FaultFileSystem());
    const told: string[] = [];
    const ends: number[] = [];
    const appends = Array.from({ length: 3000 }, (_, id) =>
      log
        .append(numbered(id, id % 50), ({ offset, length }) => {
          told.push(`told ${id}`);
          ends.push(offset + length);
          expect(log.end.offset).toBeLessThan(offset + length);
        })
        .then(() => {
          told.push(`resolved ${id}`);
          expect(log.end.offset).toBeGreaterThanOrEqual(ends[id]!);
        }),
    );
    await Promise.all(appends);
    const only = (kind: string) => told.filter((line) => line.startsWith(kind)).map((line) => line.slice(kind.length));
    const inOrder = appends.map((_, id) => ` ${id}`);
    expect(only('told')).toEqual(inOrder);
    expect(only('resolved')).toEqual(inOrder);
    expect(told.indexOf('resolved 0')).toBeGreaterThan(told.indexOf('told 0'));
  });

  it('commits what comes in together with one write and one sync', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs);
    await append(log, numbered(0));
    const before = fs.operations;
    await Promise.all(Array.from({ length: 100 }, (_, id) => append(log, numbered(id))));
    expect(fs.operations - before).toBe(2);
  });

  it('keeps a group commit within its bytes, and a segment within its target and one record', async () => {
    const fs = new FaultFileSystem();
    let largest = 0;
    const create = fs.create.bind(fs);
    fs.create = async (path) => {
      const file = await create(path);
      return {
        ...file,
        write(pieces, position) {
          largest = Math.max(
            largest,
            pieces.reduce((sum, piece) => sum + piece.length, 0),
          );
          return file.write(pieces, position);
        },
      };
    };
    const { log } = await openLog(fs, { segmentBytesTarget: 10_000_000 });
    await Promise.all(Array.from({ length: 150 }, (_, id) => append(log, numbered(id, 100_000))));
    expect(largest).toBeLessThanOrEqual(limits.groupCommitBytesMax);
    expect(log.segments()[0]!.bytes).toBeGreaterThanOrEqual(10_000_000);
    expect(log.segments()[0]!.bytes).toBeLessThan(10_101_000);
    expect(log.segments()).toHaveLength(2);
  });

  it('makes callers wait for room, and refuses those who did not, far beyond', async () => {
    const { log } = await openLog(new FaultFileSystem());
    const payload = new Uint8Array(32 * 2 ** 20);
    const record = { type: 1, version: 1, meta: new Uint8Array(0), payload };
    const appends = [append(log, record), append(log, record)];
    let room = false;
    const waiting = log.waitForRoom().then(() => {
      room = true;
    });
    await Promise.resolve();
    expect(room).toBe(false);
    await waiting;
    while (appends.length < 12) appends.push(append(log, record));
    const results = await Promise.allSettled(appends);
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(reason).toEqual(code('overloaded'));
    await log.waitForRoom();
    await append(log, numbered(1));
  });

  it('refuses none of those who waited, however many there are', async () => {
    const fs = new FaultFileSystem();
    const { create } = fs;
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    fs.create = async (path) => ({ ...(await create.call(fs, path)), write: () => gate });
    const { log } = await openLog(fs);
    const payload = new Uint8Array(2 ** 20);
    const record = { type: 1, version: 1, meta: new Uint8Array(0), payload };
    const first = Array.from({ length: 80 }, () => append(log, record));
    await setImmediate();
    const waiting = Array.from({ length: 500 }, async () => {
      await log.waitForRoom();
      await append(log, record);
    });
    await setImmediate();
    open();
    const results = await Promise.allSettled([...first, ...waiting]);
    expect(results.filter(({ status }) => status === 'rejected')).toEqual([]);
  });

  it('refuses a record that is too large, and every record after close', async () => {
    const { log } = await openLog(new FaultFileSystem());
    const meta = new Uint8Array(limits.recordMetaBytesMax + 1);
    await expect(append(log, { ...numbered(1), meta })).rejects.toEqual(code('too_large'));
    const underWay = append(log, numbered(2));
    await Promise.all([log.close(), log.close()]);
    await underWay;
    await expect(append(log, numbered(3))).rejects.toEqual(code('unavailable'));
  });
});

describe('segments', () => {
  it('roll at their target and when asked, and the next header seals the one before', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs, { segmentBytesTarget: 8192 });
    for (let id = 0; id < 10; id++) await append(log, numbered(id, 1500));
    log.roll();
    log.roll();
    await append(log, numbered(10));
    const segments = log.segments();
    expect(segments.map(({ id, sealed }) => ({ id, sealed }))).toEqual([
      { id: 1, sealed: true },
      { id: 2, sealed: true },
      { id: 3, sealed: true },
      { id: 4, sealed: true },
      { id: 5, sealed: false },
    ]);
    await log.close();
    // Garbage behind a sealed end is not looked at.
    const file = await fs.open(segmentPath(1), 'write');
    await file!.write([new Uint8Array(500).fill(7)], segments[0]!.bytes);
    const again = await openLog(fs);
    expect(idsOf(again.visited)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(again.log.segments().map(({ bytes }) => bytes)).toEqual(segments.map(({ bytes }) => bytes));
    expect(await again.log.scan(1, () => {})).toEqual({ records: 3, damagedBytes: 0, damagedStretches: 0 });
  });

  it('go on after a clean close when the end is known, and only then', async () => {
    const fs = new FaultFileSystem();
    const first = await openLog(fs);
    await append(first.log, numbered(1));
    const { end } = first.log;
    await append(first.log, numbered(2));
    const cleanEnd = first.log.end;
    await first.log.close();

    const known = await openLog(fs, { from: cleanEnd });
    expect(known.visited).toEqual([]);
    expect((await append(known.log, numbered(3))).segment).toBe(1);
    await known.log.close();

    const behind = await openLog(fs, { from: end });
    expect(idsOf(behind.visited)).toEqual([2, 3]);
    expect((await append(behind.log, numbered(4))).segment).toBe(2);
    await behind.log.close();
    expect(idsOf((await openLog(fs)).visited)).toEqual([1, 2, 3, 4]);
  });

  it('replay from a position: what is at it and behind, also when its segment is gone', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs, { segmentBytesTarget: 8192 });
    const places: RecordPlace[] = [];
    for (let id = 0; id < 20; id++) places.push(await append(log, numbered(id, 1500)));
    await log.close();
    for (const [id, from] of places.entries()) {
      const { visited, log: opened } = await openLog(fs, { from });
      expect(idsOf(visited)[0]).toBe(id);
      expect(visited).toHaveLength(20 - id);
      await opened.close();
    }
    const opened = await openLog(fs);
    await opened.log.remove(2);
    await opened.log.close();
    const left = places.flatMap(({ segment }, id) => (segment > 2 ? [id] : []));
    expect(idsOf((await openLog(fs, { from: places[5] })).visited)).toEqual(left);
  });

  it('refuse a position that the log does not reach', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs);
    await append(log, numbered(1));
    const { segment, offset } = log.end;
    for (const from of [
      { segment, offset: offset + 8 },
      { segment: segment + 1, offset: 4096 },
    ]) {
      await expect(openLog(fs, { from })).rejects.toEqual(code('out_of_range'));
    }
    await expect(openLog(new FaultFileSystem(), { from: log.end })).rejects.toEqual(code('out_of_range'));
  });

  it('with a torn tail end at the last whole record and are followed by a new one', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs);
    const places: RecordPlace[] = [];
    for (let id = 0; id < 5; id++) places.push(await append(log, numbered(id, 1000)));
    await log.close();
    fs.damage(segmentPath(1), (bytes) => {
      bytes[places[3]!.offset + places[3]!.length - 20]! ^= 1;
    });
    const torn = await openLog(fs);
    expect(idsOf(torn.visited)).toEqual([0, 1, 2]);
    expect(torn.log.end).toEqual({ segment: 1, offset: places[3]!.offset });
    expect(await append(torn.log, numbered(7))).toMatchObject({ segment: 2, offset: 4096 });
    await torn.log.close();
    expect(idsOf((await openLog(fs)).visited)).toEqual([0, 1, 2, 7]);
  });

  it.each([
    { durability: 'disk' as const, want: 'damage, and what was durable behind it is kept' },
    { durability: 'memory' as const, want: 'a torn end' },
  ])('take damage one group commit before the end, in $durability durability, for $want', async ({ durability }) => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs, { durability, segmentBytesTarget: 1 << 30 });
    const places: RecordPlace[] = [];
    const count = Math.ceil(limits.groupCommitBytesMax / 100_000) + 3;
    for (let id = 0; id < count; id++) places.push(await append(log, numbered(id, 100_000)));
    await log.close();
    fs.damage(segmentPath(1), (bytes) => {
      bytes[places[1]!.offset + 5000]! ^= 1;
      bytes[places[2]!.offset + 1]! ^= 1;
    });
    const damaged: DamagedStretch[] = [];
    const onDamage = (stretch: DamagedStretch) => void damaged.push(stretch);
    const { log: reopened, visited } = await openLog(fs, { onDamage });
    const all = places.map((_, id) => id);
    // A payload is not looked at where all was durable: who reads it learns of the damage.
    expect(idsOf(visited)).toEqual(durability === 'disk' ? all.filter((id) => id !== 2) : [0]);
    expect(damaged).toHaveLength(durability === 'disk' ? 1 : 0);
    await reopened.close();
  });

  it('change with the durability, since a header speaks for its whole segment', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs, { durability: 'disk' });
    await append(log, numbered(0));
    await log.close();
    const { log: next } = await openLog(fs, { durability: 'memory', from: log.end });
    expect(await append(next, numbered(1))).toMatchObject({ segment: 2 });
    await next.close();
  });

  it('are removed for good, and readers that hold one keep reading', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs);
    const place = await append(log, numbered(1, 3 * blockBytes));
    await expect(log.remove(1)).rejects.toThrow('assertion');
    log.roll();
    await append(log, numbered(2));
    const reader = await log.openRecord(place, 16);
    await log.remove(1);
    expect(fs.paths()).toEqual([segmentPath(2)]);
    const bytes = await reader.read({ start: 0, end: reader.payloadBytes });
    expect(Buffer.compare(bytes, payloadOf(1, 3 * blockBytes))).toBe(0);
    await reader.close();
    await reader.close();
    await expect(log.openRecord(place, 16)).rejects.toEqual(code('not_found'));
    await expect(log.remove(1)).rejects.toEqual(code('not_found'));
    await expect(log.scan(1, () => {})).rejects.toEqual(code('not_found'));
    expect(idsOf((await openLog(fs.crash(1))).visited)).toEqual([2]);
  });

  it('that a crash left without a whole header are swept away', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs);
    await append(log, numbered(1));
    await log.close();
    for (const [id, bytes] of [
      [2, 0],
      [3, 100],
      [9, 4096],
    ] as const) {
      const file = await fs.create(segmentPath(id));
      await file.write([new Uint8Array(bytes)], 0);
    }
    await (await fs.create(`${directory}/notes.txt`)).close();
    const again = await openLog(fs);
    expect(idsOf(again.visited)).toEqual([1]);
    expect(fs.paths()).toEqual([segmentPath(1), `${directory}/notes.txt`]);
    expect((await append(again.log, numbered(2))).segment).toBe(10);
  });
});

describe('a reader', () => {
  it('gives any range of the payload, whatever the first read brought', async () => {
    const random = seededRandom(testSeed('ranges of records'));
    const { log } = await openLog(new FaultFileSystem());
    for (const size of [1, 100, blockBytes, 2 * blockBytes + 77, 5 * blockBytes]) {
      const place = await append(log, numbered(size, size));
      const payload = payloadOf(size, size);
      for (const hint of [0, 16, 40, place.length, 2 ** 30]) {
        const reader = await log.openRecord(place, hint);
        expect(idOf(reader)).toBe(size);
        expect(reader).toMatchObject({ type: 1 + (size % 3), version: 1, payloadBytes: size, fd: -1 });
        for (let round = 0; round < 10; round++) {
          const start = random.between(0, size);
          const end = random.between(start, size);
          const bytes = await reader.read({ start, end });
          expect(Buffer.compare(bytes, payload.subarray(start, end))).toBe(0);
          bytes.fill(0); // The bytes are the caller's: later reads do not see this.
        }
        await (await reader.read({ start: 0, end: size })).fill(0);
        expect(Buffer.compare(await reader.read({ start: 0, end: size }), payload)).toBe(0);
        await reader.close();
      }
    }
  });

  it('reads a small record with one call', async () => {
    const fs = new FaultFileSystem();
    let reads = 0;
    const create = fs.create.bind(fs);
    fs.create = async (path) => {
      const file = await create(path);
      return {
        ...file,
        read(target, position) {
          reads++;
          return file.read(target, position);
        },
      };
    };
    const { log } = await openLog(fs);
    const place = await append(log, numbered(1, 4096));
    await readPayload(log, place);
    expect(reads).toBe(1);
  });

  it('finds damage: in the head when it opens, in a block when it reads it, and nowhere else', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs);
    const place = await append(log, numbered(1, 3 * blockBytes));
    const reader = await log.openRecord(place, 16);
    fs.damage(segmentPath(1), (bytes) => {
      bytes[reader.payloadOffset + blockBytes + 5]! ^= 1;
    });
    await expect(reader.read({ start: blockBytes, end: blockBytes + 1 })).rejects.toEqual(code('corrupt'));
    await expect(reader.read({ start: 0, end: 3 * blockBytes })).rejects.toEqual(code('corrupt'));
    await reader.read({ start: 0, end: blockBytes });
    await reader.read({ start: 2 * blockBytes, end: 3 * blockBytes });
    await reader.close();
    for (const at of [0, 4, 6, 9, 14, 17, 24]) {
      const flip = (bytes: Uint8Array) => {
        bytes[place.offset + at]! ^= 1;
      };
      fs.damage(segmentPath(1), flip);
      await expect(log.openRecord(place, place.length)).rejects.toEqual(code('corrupt'));
      fs.damage(segmentPath(1), flip);
    }
    await (await log.openRecord(place, 0)).close();
    for (const offset of [place.offset + 8, log.end.offset, log.end.offset + 800]) {
      await expect(log.openRecord({ segment: 1, offset }, 64)).rejects.toEqual(code('corrupt'));
    }
  });
});

describe("'memory' mode", () => {
  it('acknowledges what is written, and keeps what was synced', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs, { durability: 'memory' });
    await append(log, numbered(1));
    await log.sync();
    await append(log, numbered(2));
    const kept = new Set<number>();
    for (let seed = 0; seed < 40; seed++) {
      const ids = idsOf((await openLog(fs.crash(seed))).visited);
      expect(ids[0]).toBe(1);
      kept.add(ids.length);
    }
    expect([...kept].sort()).toEqual([1, 2]);
    await log.close();
    for (let seed = 0; seed < 20; seed++) {
      expect(idsOf((await openLog(fs.crash(seed))).visited)).toEqual([1, 2]);
    }
  });
});
