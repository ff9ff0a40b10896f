// Segments that another thread writes, read by this one.

import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import type { OpenFile } from '../../src/log/file-system.js';
import type { RecordPlace } from '../../src/log/record.js';
import { SegmentFiles } from '../../src/log/segment-files.js';
import { FaultFileSystem } from '../support/fault-file-system.js';
import { append, directory, idOf, numbered, openLog } from './harness.js';

/** Opening takes a few turns of the event loop. */
class SlowToOpen extends FaultFileSystem {
  opened = 0;

  override async open(path: string, mode: 'read' | 'write'): Promise<OpenFile | undefined> {
    this.opened++;
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    return super.open(path, mode);
  }
}

/** One record in each of so many segments. */
async function written(fs: FaultFileSystem, count: number): Promise<RecordPlace[]> {
  const { log } = await openLog(fs);
  const places: RecordPlace[] = [];
  for (let id = 0; id < count; id++) {
    places.push(await append(log, numbered(id)));
    log.roll();
  }
  await log.close();
  return places;
}

describe('SegmentFiles', () => {
  it('opens each segment once for readers that come together, however many there are', async () => {
    const fs = new SlowToOpen();
    const count = 2 * limits.sharedSegmentsCountMax;
    const places = await written(fs, count);
    fs.opened = 0;
    const files = new SegmentFiles(fs, directory);
    const records = await Promise.all(places.map((place) => files.openRecord(place, place.length)));
    expect(records.map(idOf)).toEqual(places.map((_, id) => id));
    expect(fs.opened).toBe(count);
    files.close();
    for (const record of records) await record.close();
    expect(fs.openPaths()).toEqual([]);
  });

  it('lets a reader finish that opened a segment as it was forgotten', async () => {
    const fs = new SlowToOpen();
    const [place] = await written(fs, 1);
    const files = new SegmentFiles(fs, directory);
    const opening = files.openRecord(place!, place!.length);
    files.forget(place!.segment);
    const record = await opening;
    expect(idOf(record)).toBe(0);
    await record.close();
    await setImmediate();
    expect(fs.openPaths()).toEqual([]);
  });

  it('says that a segment is gone, and looks again', async () => {
    const fs = new FaultFileSystem();
    const [place] = await written(fs, 1);
    const files = new SegmentFiles(fs, directory);
    const absent = { segment: 77, offset: place!.offset };
    await expect(files.openRecord(absent, 100)).rejects.toMatchObject({ code: 'not_found' });
    await (await files.openRecord(place!, place!.length)).close();
    expect(files.openRecordNow(absent, 100)).toBeUndefined();
    files.close();
    await setImmediate();
    expect(fs.openPaths()).toEqual([]);
  });
});
