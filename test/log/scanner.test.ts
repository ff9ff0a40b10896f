import { describe, expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import type { Log } from '../../src/log/log.js';
import type { RecordPlace } from '../../src/log/record.js';
import type { DamagedStretch } from '../../src/log/scanner.js';
import { FaultFileSystem } from '../support/fault-file-system.js';
import { seededRandom, testRounds, testSeed } from '../support/random.js';
import { append, idOf, idsOf, numbered, openLog, segmentPath } from './harness.js';

async function scanIds(log: Log, segment: number): Promise<number[]> {
  const ids: number[] = [];
  await log.scan(segment, (record) => void ids.push(idOf(record)));
  return ids;
}

/** A closed log: one sealed segment with records of these payload sizes, and record 1000 in the next. */
async function sealedSegment(fs: FaultFileSystem, sizes: readonly number[]): Promise<RecordPlace[]> {
  const { log } = await openLog(fs, { segmentBytesTarget: 2 ** 30 });
  const places: RecordPlace[] = [];
  for (const [id, size] of sizes.entries()) places.push(await append(log, numbered(id, size)));
  log.roll();
  await append(log, numbered(1000));
  await log.close();
  return places;
}

describe('a scan of a sealed segment', () => {
  it('skips damage to the next valid record, reports it, and goes on', async () => {
    const fs = new FaultFileSystem();
    const places = await sealedSegment(fs, [100, 2000, 300, 70_000, 0, 10]);
    const stretches: DamagedStretch[] = [];
    for (const id of [1, 3, 5])
      fs.damage(segmentPath(1), (bytes) => bytes.fill(id, places[id]!.offset + 9, places[id]!.offset + 12));
    const { log, visited } = await openLog(fs, { onDamage: (stretch) => stretches.push(stretch) });
    expect(idsOf(visited)).toEqual([0, 2, 4, 1000]);
    const want = [1, 3, 5]
      .map((id) => places[id]!)
      .map(({ segment, offset, length }) => ({ segment, start: offset, end: offset + length }));
    expect(stretches).toEqual(want);
    const report = await log.scan(1, () => {});
    const damagedBytes = want.reduce((sum, { start, end }) => sum + end - start, 0);
    expect(report).toEqual({ records: 3, damagedBytes, damagedStretches: 3 });
  });

  it('counts neighbours that are damaged together as one stretch', async () => {
    const fs = new FaultFileSystem();
    const places = await sealedSegment(fs, [100, 100, 100, 100]);
    fs.damage(segmentPath(1), (bytes) => bytes.fill(0, places[1]!.offset + 10, places[2]!.offset + 50));
    const { log } = await openLog(fs);
    expect(await log.scan(1, () => {})).toMatchObject({ records: 2, damagedStretches: 1 });
  });

  it('takes a damaged payload for a record: only its reader looks at it', async () => {
    const fs = new FaultFileSystem();
    const places = await sealedSegment(fs, [100, 5000, 100]);
    fs.damage(segmentPath(1), (bytes) => bytes.fill(0, places[1]!.offset + 1000, places[1]!.offset + 2000));
    const { log } = await openLog(fs);
    expect(await scanIds(log, 1)).toEqual([0, 1, 2]);
    const reader = await log.openRecord(places[1]!, places[1]!.length);
    await expect(reader.read({ start: 0, end: 1 })).rejects.toMatchObject({ code: 'corrupt' });
    await reader.close();
  });

  it('waits for its visitor', async () => {
    const fs = new FaultFileSystem();
    await sealedSegment(fs, [1, 2, 3]);
    const { log } = await openLog(fs);
    let inside = 0;
    await log.scan(1, async () => {
      expect(++inside).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    });
  });

  it('survives the loss of both headers and of the end of the file, and never stops the open', async () => {
    const fs = new FaultFileSystem();
    const places = await sealedSegment(fs, [100, 100, 100]);
    fs.damage(segmentPath(1), (bytes) => {
      bytes[3] = 0;
      bytes[2048 + 3] = 0;
    });
    const stretches: DamagedStretch[] = [];
    const opened = await openLog(fs, { onDamage: (stretch) => stretches.push(stretch) });
    expect(idsOf(opened.visited)).toEqual([1000]);
    expect(stretches).toEqual([{ segment: 1, start: 4096, end: places[2]!.offset + places[2]!.length }]);
    await expect(opened.log.openRecord(places[0]!, 100)).rejects.toMatchObject({ code: 'corrupt' });
    await opened.log.remove(1);

    const shorter = new FaultFileSystem();
    await sealedSegment(shorter, [100, 100, 100]);
    await (await shorter.open(segmentPath(1), 'write'))!.truncate(places[1]!.offset + 10);
    const { visited, log } = await openLog(shorter);
    expect(idsOf(visited)).toEqual([0, 1000]);
    expect(await log.scan(1, () => {})).toMatchObject({ records: 1, damagedStretches: 1 });
  });

  it('of random damage visits no record that was not there, in order, and all that were not touched', async () => {
    const random = seededRandom(testSeed('damaged segments'));
    for (let round = 0; round < 60 * testRounds(); round++) {
      const fs = new FaultFileSystem();
      const sizes = Array.from({ length: 30 }, () => random.below(random.pick([10, 500, 70_000])));
      const places = await sealedSegment(fs, sizes);
      const hits = Array.from({ length: random.between(1, 5) }, () => {
        const start = random.between(places[0]!.offset, places[29]!.offset);
        return { start, end: start + random.between(1, 2000) };
      });
      fs.damage(segmentPath(1), (bytes) => {
        for (const { start, end } of hits) bytes.set(random.bytes(Math.min(end, bytes.length) - start), start);
      });
      const { log } = await openLog(fs);
      const ids = await scanIds(log, 1);
      expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
      const untouched = places.flatMap(({ offset, length }, id) =>
        hits.some(({ start, end }) => start < offset + length && end > offset) ? [] : [id],
      );
      expect(ids).toEqual(expect.arrayContaining(untouched));
    }
  });
});

describe('a payload that holds a log', () => {
  it('is never taken for records, neither behind damage nor at a torn tail', async () => {
    const other = new FaultFileSystem();
    await sealedSegment(other, Array(50).fill(100));
    const file = (await other.open(segmentPath(1), 'read'))!;
    const whole = new Uint8Array(await file.size());
    await file.read(whole, 0);
    // The same segment again, and its records alone, as payloads of a log with another salt and with the very same one.
    for (const seed of [1, 2]) {
      const fs = new FaultFileSystem();
      const { log } = await openLog(fs, { seed });
      const payloads = [whole, whole.subarray(4096)];
      const places: RecordPlace[] = [];
      for (const payload of payloads) places.push(await append(log, { ...numbered(1), payload }));
      log.roll();
      await append(log, numbered(2));
      await log.close();
      fs.damage(segmentPath(1), (bytes) => {
        for (const { offset } of places) bytes[offset]! ^= 1;
      });
      const { log: opened, visited } = await openLog(fs);
      expect(idsOf(visited)).toEqual([2]);
      expect(await opened.scan(1, () => {})).toMatchObject({ records: 0, damagedStretches: 1 });
    }
  });
});

describe('damage over many windows', () => {
  it('is searched to its end', async () => {
    const fs = new FaultFileSystem();
    const places = await sealedSegment(fs, [10, 3 * limits.scanWindowBytes + 17, 10, 2 * limits.scanWindowBytes, 10]);
    fs.damage(segmentPath(1), (bytes) => {
      for (const id of [1, 3]) bytes[places[id]!.offset + 4] = 0;
    });
    const { log } = await openLog(fs);
    expect(await scanIds(log, 1)).toEqual([0, 2, 4]);
  });

  it('does not take forever when every word looks like a header', async () => {
    const fs = new FaultFileSystem();
    const { log } = await openLog(fs);
    const payload = new Uint8Array(2 ** 20);
    const view = new DataView(payload.buffer);
    for (let at = 4; at + 12 <= payload.length; at += 8) view.setUint32(at, 0x0001ca1e, true);
    const place = await append(log, { type: 1, version: 1, meta: new Uint8Array(3), payload });
    log.roll();
    await append(log, numbered(1));
    fs.damage(segmentPath(1), (bytes) => {
      bytes[place.offset]! ^= 1;
    });
    expect(await log.scan(1, () => {})).toMatchObject({ records: 0, damagedBytes: place.length });
  });
});
