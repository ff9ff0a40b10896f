// The index in LevelDB. One process holds the directory at a time; every batch is synced. LevelDB may lose its last batches
// in a crash, and after damage any of them: what is lost in the middle is found by the state value (see index-row.ts).

import { writeFileSync } from 'node:fs';
import { access, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { type BlobHash, hashKey } from '../base/digest.js';
import { assert, CairnError } from '../base/errors.js';
import { levelError } from '../base/level-error.js';
import { limits } from '../base/limits.js';
import type { LogPosition } from '../log/record.js';
import type { BlobRow } from './blob-table.js';
import type { IndexChange, IndexDb, IndexEntry, IndexHome } from './index-db.js';
import {
  decodeRow,
  decodeRowKey,
  decodeState,
  decodeUsage,
  emptyState,
  encodeRow,
  encodeRowKey,
  encodeState,
  encodeUsage,
  firstKey,
  firstRowKey,
  formatKey,
  formatValue,
  type IndexState,
  isMetaKey,
  keysEnd,
  rowChecksum,
  stateKey,
  usageKey,
} from './index-row.js';
import { SegmentUsage } from './segment-usage.js';

/**
 * LevelDB aborts the process over some damaged tables. This file is there while all rows are read, so that the next start
 * takes the index for damaged instead of dying the same way.
 */
const walkMarker = 'WALK';
/** This one is there when damage was met by who needed one row: the next start makes the index anew, since it may not meet it. */
const damageMarker = 'DAMAGED';

type Database = Level<Uint8Array, Uint8Array>;

export class LevelIndex implements IndexDb {
  readonly #db: Database;
  readonly #walkMarker: string;
  readonly #damageMarker: string;
  #walks = 0;
  #applying = false;

  private constructor(db: Database, directory: string) {
    this.#db = db;
    this.#walkMarker = join(directory, walkMarker);
    this.#damageMarker = join(directory, damageMarker);
  }

  /**
   * Creates the index where there is none. `corrupt` when it is damaged or of another format, `unavailable` while another
   * process has it open.
   */
  static async open(directory: string): Promise<LevelIndex> {
    if (await exists(join(directory, walkMarker))) {
      throw new CairnError('corrupt', `the process died while it read the index ${directory}`);
    }
    if (await exists(join(directory, damageMarker))) {
      throw new CairnError('corrupt', `damage was found in the index ${directory}`);
    }
    const db: Database = new Level(directory, { keyEncoding: 'view', valueEncoding: 'view' });
    try {
      await db.open();
      await checkFormat(db);
      return new LevelIndex(db, directory);
    } catch (error) {
      await db.close();
      throw levelError(error, `the index ${directory}`);
    }
  }

  /** Deletes the index, also a damaged one; absent is no error. It must not be open. */
  static async destroy(directory: string): Promise<void> {
    // Under another name first: LevelDB would open half a deleted index, as if it were an older one.
    const doomed = `${directory}.deleted`;
    await rm(doomed, { recursive: true, force: true });
    await rename(directory, doomed).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw new CairnError('storage', `cannot delete ${directory}`, { cause: error });
    });
    await rm(doomed, { recursive: true, force: true });
  }

  async position(): Promise<LogPosition | undefined> {
    return (await this.#guard(() => readState(this.#db))).position;
  }

  async apply(changes: readonly IndexChange[], position: LogPosition | undefined): Promise<void> {
    assert(!this.#applying, 'batches are applied one at a time');
    this.#applying = true;
    try {
      await this.#guard(() => this.#applyRows(changes, position));
    } finally {
      this.#applying = false;
    }
  }

  async usage(): Promise<SegmentUsage> {
    return this.#guard(() => readUsage(this.#db));
  }

  async rows(hashes: readonly BlobHash[]): Promise<(BlobRow | undefined)[]> {
    const keys = hashes.map(encodeRowKey);
    return this.#guard(async () => {
      const values = await this.#db.getMany(keys);
      return values.map((value, i) => value && decodeRow(keys[i]!, value));
    });
  }

  rowNow(hash: BlobHash): BlobRow | undefined {
    this.#refuseWhenClosed();
    const key = encodeRowKey(hash);
    try {
      const value = this.#db.getSync(key);
      return value && decodeRow(key, value);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async #applyRows(changes: readonly IndexChange[], position: LogPosition | undefined): Promise<void> {
    let { count, sum } = await readState(this.#db);
    const usage = await readUsage(this.#db);
    const batch = this.#db.batch();
    const inBatch = new Map<string, Uint8Array | undefined>();
    for (let i = 0; i < changes.length; i += limits.indexStepRowsMax) {
      const step = changes.slice(i, i + limits.indexStepRowsMax);
      const keys = step.map(({ hash }) => encodeRowKey(hash));
      const stored = await this.#db.getMany(keys);
      for (const [k, { hash, row }] of step.entries()) {
        const key = keys[k]!;
        const name = hashKey(hash);
        const old = inBatch.has(name) ? inBatch.get(name) : stored[k];
        const value = row && encodeRow(key, row);
        if (old !== undefined) usage.removeBlob(decodeRow(key, old));
        if (row !== undefined) usage.addBlob(row);
        count += (value === undefined ? 0 : 1) - (old === undefined ? 0 : 1);
        sum += (value === undefined ? 0 : rowChecksum(value)) - (old === undefined ? 0 : rowChecksum(old));
        if (value === undefined) batch.del(key);
        else batch.put(key, value);
        inBatch.set(name, value);
      }
    }
    batch.put(usageKey, encodeUsage(usage));
    batch.put(stateKey, encodeState({ position, count, sum: modulo32(sum) }));
    await batch.write({ sync: true });
  }

  async *entries(): AsyncIterable<readonly IndexEntry[]> {
    this.#refuseWhenClosed();
    await this.#beginWalk();
    // One iterator is one snapshot: the state it meets first is that of the rows that follow.
    const iterator = this.#db.iterator({ gte: firstKey, lt: keysEnd });
    let state = emptyState;
    let count = 0;
    let sum = 0;
    try {
      for (;;) {
        const pairs = await this.#guard(() => iterator.nextv(limits.indexStepRowsMax));
        if (pairs.length === 0) break;
        const entries: IndexEntry[] = [];
        for (const [key, value] of pairs) {
          if (isMetaKey(key)) {
            if (Buffer.compare(key, stateKey) === 0) state = decodeState(value);
            continue;
          }
          entries.push({ hash: decodeRowKey(key), row: decodeRow(key, value) });
          count += 1;
          sum = modulo32(sum + rowChecksum(value));
        }
        yield entries;
      }
    } finally {
      await iterator.close();
      await this.#endWalk();
    }
    if (count !== state.count || sum !== state.sum) {
      throw new CairnError('corrupt', `the index holds ${count} rows, and they are not the ${state.count} written`);
    }
  }

  async list(after: BlobHash | undefined, limit: number): Promise<IndexEntry[]> {
    const from = after === undefined ? { gte: firstRowKey } : { gt: encodeRowKey(after) };
    return this.#guard(async () => {
      const pairs = await this.#db.iterator({ ...from, lt: keysEnd, limit }).all();
      return pairs.map(([key, value]) => ({ hash: decodeRowKey(key), row: decodeRow(key, value) }));
    });
  }

  async #beginWalk(): Promise<void> {
    this.#walks += 1;
    await this.#guard(() => writeFile(this.#walkMarker, ''));
  }

  async #endWalk(): Promise<void> {
    this.#walks -= 1;
    // A marker that stays costs one rebuild.
    if (this.#walks === 0) await rm(this.#walkMarker, { force: true }).catch(() => {});
  }

  async close(): Promise<void> {
    await this.#db.close();
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    this.#refuseWhenClosed();
    try {
      return await work();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): CairnError {
    const failure = levelError(error, 'the index');
    if (failure.code === 'corrupt') this.#markDamage();
    return failure;
  }

  #markDamage(): void {
    try {
      writeFileSync(this.#damageMarker, '');
    } catch {
      // Then it will be met again.
    }
  }

  #refuseWhenClosed(): void {
    if (this.#db.status !== 'open') throw new CairnError('unavailable', 'the index is closed');
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function checkFormat(db: Database): Promise<void> {
  const [format] = await db.getMany([formatKey]);
  if (format === undefined) {
    const [anyKey] = await db.keys({ limit: 1 }).all();
    if (anyKey !== undefined) throw new CairnError('corrupt', 'the index does not say its format');
    await db.batch([{ type: 'put', key: formatKey, value: formatValue }], { sync: true });
  } else if (Buffer.compare(format, formatValue) !== 0) {
    throw new CairnError('corrupt', 'the index is of another format');
  }
}

async function readState(db: Database): Promise<IndexState> {
  const [value] = await db.getMany([stateKey]);
  return value === undefined ? emptyState : decodeState(value);
}

async function readUsage(db: Database): Promise<SegmentUsage> {
  const [value] = await db.getMany([usageKey]);
  return value === undefined ? new SegmentUsage() : decodeUsage(value);
}

function modulo32(value: number): number {
  return ((value % 2 ** 32) + 2 ** 32) % 2 ** 32;
}

/** An index in LevelDB under this directory. */
export function levelIndexHome(directory: string): IndexHome {
  return { open: () => LevelIndex.open(directory), destroy: () => LevelIndex.destroy(directory) };
}
