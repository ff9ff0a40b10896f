import { describe, expect, test } from 'vitest';
import { toHash } from '../../src/base/digest.js';
import { errorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { type BlobRow, BlobTable } from '../../src/cas/blob-table.js';
import { loadTable, saveTable } from '../../src/cas/table-file.js';
import type { FileSystem } from '../../src/log/file-system.js';
import { CrashError, FaultFileSystem } from '../support/fault-file-system.js';
import { type SeededRandom, seededRandom, testRounds, testSeed } from '../support/random.js';
import { tableSource } from '../support/table-source.js';

const path = '/data/table';
const position = { segment: 2 ** 33, offset: 2 ** 41 };

function randomTable(random: SeededRandom, count: number): BlobTable {
  const table = BlobTable.create(random);
  for (let i = 0; i < count; i++) {
    table.set(toHash(random.bytes(32)), { size: i, segment: 5, offset: 8 * i, large: random.chance(0.1) });
  }
  return table;
}

function rowsOf(table: BlobTable): Map<string, BlobRow> {
  const rows = new Map<string, BlobRow>();
  table.forEach((hash, row) => void rows.set(Buffer.from(hash).toString('hex'), row));
  return rows;
}

function expectSame(got: BlobTable | undefined, want: BlobTable): void {
  expect(got?.count).toBe(want.count);
  expect(got?.bytes).toBe(want.bytes);
  expect(rowsOf(got!)).toEqual(rowsOf(want));
}

async function fileSystem(): Promise<FaultFileSystem> {
  const fs = new FaultFileSystem();
  await fs.makeDirectory('/data');
  return fs;
}

/** A file system whose writes are counted and let a test act in between. */
function watchingWrites(fs: FileSystem, onWrite: (bytes: number) => void): FileSystem {
  return new Proxy(fs, {
    get(target, name) {
      if (name !== 'create') return Reflect.get(target, name).bind(target);
      return async (created: string) => {
        const file = await target.create(created);
        return {
          path: file.path,
          fd: file.fd,
          size: () => file.size(),
          read: file.read.bind(file),
          truncate: file.truncate.bind(file),
          sync: () => file.sync(),
          close: () => file.close(),
          write: (pieces: readonly Uint8Array[], at: number) => {
            onWrite(pieces.reduce((sum, piece) => sum + piece.length, 0));
            return file.write(pieces, at);
          },
        };
      };
    },
  });
}

async function readAll(fs: FileSystem): Promise<Uint8Array> {
  const file = (await fs.open(path, 'read'))!;
  const bytes = new Uint8Array(await file.size());
  await file.read(bytes, 0);
  await file.close();
  return bytes;
}

async function put(fs: FileSystem, bytes: Uint8Array): Promise<void> {
  await fs.remove(path);
  const file = await fs.create(path);
  await file.write([bytes], 0);
  await file.close();
}

describe('a saved table', () => {
  test.each([0, 1, 700, 60_000])('comes back with %i rows and its position', async (count) => {
    const random = seededRandom(testSeed(`saved table of ${count}`));
    const fs = await fileSystem();
    const table = randomTable(random, count);
    const pieces: number[] = [];
    await saveTable(
      watchingWrites(fs, (bytes) => pieces.push(bytes)),
      path,
      tableSource(table, position),
    );
    expect(Math.max(...pieces)).toBeLessThanOrEqual(limits.tablePieceBytesMax);
    const loaded = await loadTable(fs, path);
    expect(loaded?.position).toEqual(position);
    expectSame(loaded?.table, table);
    // It is a table to go on with.
    for (let i = 0; i < 5000; i++)
      loaded?.table.set(toHash(random.bytes(32)), { size: 1, segment: 1, offset: 0, large: false });
    expect(loaded?.table.count).toBe(count + 5000);
  });

  test('absent is undefined', async () => {
    expect(await loadTable(await fileSystem(), path)).toBeUndefined();
  });

  test('changes meanwhile may be in it or not, and everything else is', async () => {
    const random = seededRandom(testSeed('table that changes while saved'));
    const fs = await fileSystem();
    const table = randomTable(random, 40_000);
    const before = rowsOf(table);
    const touched = new Set<string>();
    const changing = watchingWrites(fs, () => {
      for (let i = 0; i < 2000; i++) {
        const hash = toHash(random.bytes(32));
        touched.add(Buffer.from(hash).toString('hex'));
        table.set(hash, { size: 1, segment: 9, offset: 0, large: false });
      }
      for (const hex of [...before.keys()].slice(touched.size - 2000, touched.size - 1800)) {
        touched.add(hex);
        table.delete(toHash(Buffer.from(hex, 'hex')));
      }
    });
    await saveTable(changing, path, tableSource(table, position));
    expect(touched.size).toBeGreaterThan(2000);
    const loaded = await loadTable(fs, path);
    const got = rowsOf(loaded!.table);
    for (const hex of touched) {
      got.delete(hex);
      before.delete(hex);
    }
    expect(got).toEqual(before);
  });

  test('damaged bytes are undefined, wherever they are', async () => {
    const random = seededRandom(testSeed('damaged table files'));
    const fs = await fileSystem();
    await saveTable(fs, path, tableSource(randomTable(random, 100), position));
    const whole = await readAll(fs);
    await put(fs, whole);
    expect(await loadTable(fs, path)).toBeDefined();
    for (let round = 0; round < 400 * testRounds(); round++) {
      const bytes = whole.slice();
      // Half the damage goes into the first headers, where one byte decides most.
      const at = random.below(random.chance(0.5) ? 128 : bytes.length);
      bytes[at]! ^= random.between(1, 255);
      await put(fs, bytes);
      expect(await loadTable(fs, path), `byte ${at}`).toBeUndefined();
    }
    for (let round = 0; round < 100 * testRounds(); round++) {
      const length = random.pick([0, 1, 63, 64, 65, 79, 80, whole.length - 1, random.below(whole.length)]);
      await put(fs, whole.subarray(0, length));
      expect(await loadTable(fs, path), `${length} bytes`).toBeUndefined();
    }
    await put(fs, Buffer.concat([whole, new Uint8Array(1)]));
    expect(await loadTable(fs, path)).toBeUndefined();
  });

  test('random bytes are undefined', async () => {
    const random = seededRandom(testSeed('random table files'));
    const fs = await fileSystem();
    for (let round = 0; round < 200 * testRounds(); round++) {
      await put(fs, random.bytes(random.below(3000)));
      expect(await loadTable(fs, path)).toBeUndefined();
    }
  });

  test('a shard of another file is undefined', async () => {
    const fs = await fileSystem();
    const table = randomTable(seededRandom(3), 0);
    await saveTable(fs, path, tableSource(table, position));
    const other = await readAll(fs);
    await saveTable(fs, path, tableSource(table, { segment: 1, offset: 1 }));
    const bytes = await readAll(fs);
    bytes.set(other.subarray(64, 80), 64);
    await put(fs, bytes);
    expect(await loadTable(fs, path)).toBeUndefined();
  });

  test('after a crash at any operation there is the old table or the new one', async () => {
    const seed = testSeed('crash while a table is saved');
    const old = randomTable(seededRandom(seed), 50);
    const next = randomTable(seededRandom(seed + 1), 60);
    const seen = new Set<number>();
    for (let operation = 1; ; operation++) {
      const fs = await fileSystem();
      await saveTable(fs, path, tableSource(old, position));
      const start = fs.operations;
      fs.inject = (done) => (done.number === start + operation ? 'crash' : undefined);
      const saved = await saveTable(fs, path, tableSource(next, { segment: 3, offset: 3 })).catch(
        (error: unknown) => error,
      );
      if (saved === true) break;
      expect(saved).toBeInstanceOf(CrashError);
      for (let variant = 0; variant < 5; variant++) {
        const loaded = await loadTable(fs.crash(seed + variant), path);
        seen.add(loaded?.position.segment ?? -1);
        expectSame(loaded?.table, loaded?.position.segment === 3 ? next : old);
      }
    }
    expect([...seen].sort((a, b) => a - b)).toEqual([3, position.segment]);
  });

  test('a save that fails leaves the old table and no other file', async () => {
    for (const fault of ['no_space', 'io_error'] as const) {
      for (const name of ['create', 'write', 'sync'] as const) {
        const fs = await fileSystem();
        const table = randomTable(seededRandom(1), 10);
        await saveTable(fs, path, tableSource(table, position));
        fs.inject = (operation) => (operation.name === name ? fault : undefined);
        const failed = await saveTable(fs, path, tableSource(randomTable(seededRandom(2), 10), position)).catch(
          errorCode,
        );
        expect(failed).toBe(fault === 'no_space' ? 'no_space' : 'storage');
        fs.inject = () => undefined;
        expectSame((await loadTable(fs, path))?.table, table);
        expect(await fs.list('/data')).toEqual(['table']);
      }
    }
  });
});
