// Records that are read in one turn of the event loop, from files that are always ready for that.

import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import type { FileSystem, OpenFile } from '../../src/log/file-system.js';
import { nodeFileSystem } from '../../src/log/node-file-system.js';
import { append, idOf, numbered, openLog, payloadOf } from './harness.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-records-'));
});
afterEach(() => rm(directory, { recursive: true }));

function ready(file: OpenFile): OpenFile {
  return {
    path: file.path,
    fd: file.fd,
    size: () => file.size(),
    read: (target, position) => file.read(target, position),
    readNow: (target, position) => fs.readSync(file.fd, target, 0, target.length, position),
    write: (pieces, position) => file.write(pieces, position),
    truncate: (size) => file.truncate(size),
    sync: () => file.sync(),
    close: () => file.close(),
  };
}

const readyFileSystem: FileSystem = {
  ...nodeFileSystem,
  create: async (path) => ready(await nodeFileSystem.create(path)),
};

const open = () => openLog(readyFileSystem, { directory });
const whole = (bytes: number) => ({ start: 0, end: bytes });

describe('a record opened at once', () => {
  it.each([0, 1, 100, 4096, limits.spareRecordBytes, limits.packedBlobBytesMax])('gives %i bytes', async (bytes) => {
    const { log } = await open();
    await append(log, numbered(7, 333));
    const place = await append(log, numbered(1, bytes));
    const reader = log.openRecordNow(place, place.length)!;
    expect([idOf(reader), reader.payloadBytes]).toEqual([1, bytes]);
    const payload = payloadOf(1, bytes);
    const scratch = new Uint8Array(bytes);
    const [first, again, borrowed, part] = await Promise.all([
      reader.read(whole(bytes)),
      reader.read(whole(bytes)),
      reader.read(whole(bytes), scratch),
      reader.read({ start: bytes >> 1, end: bytes }),
    ]);
    await reader.close();
    await reader.close();
    // What was read is the caller's, whatever the memory is used for next.
    for (const id of [2, 3]) {
      const next = await append(log, numbered(id, bytes));
      await log.openRecordNow(next, next.length)?.close();
    }
    for (const read of [first, again, borrowed]) expect(Buffer.compare(read!, payload)).toBe(0);
    expect(Buffer.compare(part!, payload.subarray(bytes >> 1))).toBe(0);
    await log.close();
  });

  it('is none where the whole does not come with one read, or is damaged', async () => {
    const { log } = await open();
    const large = await append(log, numbered(1, limits.promptReadBytesMax));
    const place = await append(log, numbered(2, 5000));
    expect(log.openRecordNow(large, large.length)).toBeUndefined();
    expect(log.openRecordNow(place, place.length - 16)).toBeUndefined();
    expect(log.openRecordNow({ segment: 9, offset: place.offset }, place.length)).toBeUndefined();
    expect(log.openRecordNow({ ...place, offset: place.offset + 8 }, place.length)).toBeUndefined();
    const path = fs.readdirSync(directory).map((name) => join(directory, name))[0]!;
    const flip = (offset: number) => {
      const fd = fs.openSync(path, 'r+');
      const byte = new Uint8Array(1);
      fs.readSync(fd, byte, 0, 1, offset);
      byte[0]! ^= 1;
      fs.writeSync(fd, byte, 0, 1, offset);
      fs.closeSync(fd);
    };
    for (const at of [0, 4, 6, 9, 14, 17, 22]) {
      flip(place.offset + at);
      expect(log.openRecordNow(place, place.length)).toBeUndefined();
      flip(place.offset + at);
    }
    flip(place.offset + 1000);
    const reader = log.openRecordNow(place, place.length)!;
    await expect(reader.read(whole(5000))).rejects.toMatchObject({ code: 'corrupt' });
    await reader.close();
    await log.close();
  });
});
