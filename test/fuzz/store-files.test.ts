// Damaged files of a data directory that is otherwise sound: the saved table and the file CAIRN. What is loaded is what
// was saved, or nothing is.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { type BlobHash, toHash } from '../../src/base/digest.js';
import { BlobFilter } from '../../src/cas/blob-filter.js';
import { BlobTable } from '../../src/cas/blob-table.js';
import { openStoreFile } from '../../src/cas/store-file.js';
import { loadTable, saveTable } from '../../src/cas/table-file.js';
import { nodeFileSystem as fs } from '../../src/log/node-file-system.js';
import { type SeededRandom, seededRandom } from '../support/random.js';
import { tableSource } from '../support/table-source.js';
import { asyncAnswerOf, itFuzz, mutateBytes } from './fuzzing.js';

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'cairn-fuzz-'));
});

afterAll(() => rm(root, { recursive: true, force: true }));

/** The bytes with damage somewhere, half the time near the start. */
function damaged(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  const from = random.chance(0.5) ? 0 : random.below(bytes.length);
  const end = Math.min(bytes.length, from + random.pick([64, 200, 5000]));
  return Buffer.concat([bytes.subarray(0, from), mutateBytes(random, bytes.subarray(from, end)), bytes.subarray(end)]);
}

describe('the saved table', () => {
  const position = { segment: 3, offset: 4096 };
  const rows = new Map<BlobHash, { size: number; segment: number; offset: number; large: boolean }>();
  let sound: Uint8Array;

  beforeAll(async () => {
    const random = seededRandom(5);
    const table = BlobTable.create(random);
    for (let i = 0; i < 500; i++) {
      const hash = toHash(random.bytes(32));
      const row = { size: random.below(1e6), segment: 1 + (i % 3), offset: 4096 + 8 * i, large: i % 2 === 0 };
      rows.set(hash, row);
      table.set(hash, row);
    }
    const filter = new BlobFilter(4096);
    for (const hash of rows.keys()) filter.add(hash);
    const [hash, row] = [...rows][0]!;
    const closing = () => ({ indexedTo: position, hidden: [{ hash, row }] });
    await saveTable(fs, join(root, 'sound'), tableSource(table, position, { filter, isComplete: false, closing }));
    sound = await readFile(join(root, 'sound'));
  });

  itFuzz('is loaded whole or not at all', { rounds: 400, millisecondsMax: 2500 }, async (random) => {
    const path = join(root, `table-${random.seed}`);
    const bytes = random.chance(0.05) ? sound : damaged(random, sound);
    await writeFile(path, bytes);
    const loaded = await loadTable(fs, path);
    await rm(path);
    const changed = Buffer.compare(bytes, sound) !== 0;
    expect(loaded === undefined).toBe(changed);
    if (loaded === undefined) return;
    expect(loaded.position).toEqual(position);
    expect(loaded.table.count).toBe(rows.size);
    for (const [hash, row] of rows) {
      expect(loaded.table.get(hash)).toEqual(row);
      expect(loaded.filter?.mayHold(hash)).toBe(true);
    }
  });

  itFuzz('is not loaded from any bytes', { rounds: 200 }, async (random) => {
    const path = join(root, `any-${random.seed}`);
    await writeFile(path, random.bytes(random.below(5000)));
    expect(await loadTable(fs, path)).toBeUndefined();
    await rm(path);
  });
});

describe('the file CAIRN', () => {
  itFuzz('is understood as it was written or not at all', { rounds: 300, millisecondsMax: 2000 }, async (random) => {
    const directory = join(root, `store-${random.seed}`);
    const first = await openStoreFile({ fs, directory, random });
    await first.release();
    const path = join(directory, 'CAIRN');
    const sound = await readFile(path);
    const bytes = random.chance(0.9) ? damaged(random, sound) : random.bytes(random.below(3000));
    await writeFile(path, bytes);
    const open = () => openStoreFile({ fs, directory, random });
    const again = await asyncAnswerOf(open, 'corrupt', 'failed_precondition');
    expect(again === undefined).toBe(Buffer.compare(bytes, sound) !== 0);
    if (again !== undefined) {
      expect(again.id).toBe(first.id);
      await again.release();
    }
    // A refused open holds no lock.
    await writeFile(path, sound);
    await (await open()).release();
    await rm(directory, { recursive: true });
  });
});
