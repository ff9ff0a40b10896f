// Rows in LevelDB. One process holds the directory at a time.

import { Level } from 'level';
import { levelError } from '../base/level-error.js';
import type { Row, RowChange, RowCursor, RowDb, RowReader, RowSnapshot } from './row-db.js';
import type { RowBounds } from './rows.js';

type Database = Level<Uint8Array, Uint8Array>;
type Snapshot = ReturnType<Database['snapshot']>;

/** Makes the database where there is none. `unavailable` while another process has it open, `corrupt` when it is damaged. */
export async function openLevelRowDb(directory: string): Promise<RowDb> {
  const db: Database = new Level(directory, { keyEncoding: 'view', valueEncoding: 'view' });
  try {
    await db.open();
  } catch (error) {
    await db.close();
    throw levelError(error, `the metadata in ${directory}`);
  }
  return {
    ...reader(db, undefined),
    snapshot: () => takeSnapshot(db),
    write: (changes) => guard(() => writeRows(db, changes)),
    close: () => guard(() => db.close()),
  };
}

function takeSnapshot(db: Database): RowSnapshot {
  const snapshot = translating(() => db.snapshot());
  return { ...reader(db, snapshot), close: () => guard(() => snapshot.close()) };
}

async function writeRows(db: Database, changes: readonly RowChange[]): Promise<void> {
  const batch = db.batch();
  for (const { key, value } of changes) {
    if (value === undefined) batch.del(key);
    else batch.put(key, value);
  }
  await batch.write({ sync: true });
}

function reader(db: Database, snapshot: Snapshot | undefined): RowReader {
  const at = snapshot && { snapshot };
  return {
    getMany: (keys) => guard(() => db.getMany([...keys], { ...at })),
    cursor: (bounds, { keysOnly = false } = {}) => openCursor(db, bounds, { ...at, values: !keysOnly }),
  };
}

const noBytes = new Uint8Array(0);

function openCursor(db: Database, bounds: RowBounds, options: { snapshot?: Snapshot; values: boolean }): RowCursor {
  const iterator = translating(() => db.iterator<Uint8Array, Uint8Array>({ ...bounds, ...options }));
  return {
    next: async (count) => {
      const rows: Row[] = await guard(() => iterator.nextv(count));
      return options.values ? rows : rows.map(([key]) => [key, noBytes]);
    },
    close: () => guard(() => iterator.close()),
  };
}

function translating<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw levelError(error, 'the metadata');
  }
}

async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw levelError(error, 'the metadata');
  }
}
