// The index in LevelDB. One process holds the directory at a time; every batch is synced. LevelDB may lose its last batches
// in a crash, and after damage any of them: what is lost in the middle is found by the state value (see index-row.ts).

import { rename, rm } from 'node:fs/promises';
import { Level } from 'level';
import { type BlobHash, hashHex } from '../base/digest.js';
import { assert, CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { LogPosition } from '../log/record.js';
import type { IndexChange, IndexDb, IndexEntry } from './index-db.js';
import {
  decodeRow,
  decodeRowKey,
  decodeState,
  emptyState,
  encodeRow,
  encodeRowKey,
  encodeState,
  firstKey,
  firstRowKey,
  formatKey,
  formatValue,
  type IndexState,
  isMetaKey,
  keysEnd,
  rowChecksum,
  stateKey,
} from './index-row.js';

type Database = Level<Uint8Array, Uint8Array>;

interface RowChange {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

export class LevelIndex implements IndexDb {
  readonly #db: Database;
  #applying = false;

  private constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Creates the index where there is none. `corrupt` when it is damaged or of another format, `unavailable` while another
   * process has it open.
   */
  static async open(directory: string): Promise<LevelIndex> {
    const db: Database = new Level(directory, { keyEncoding: 'view', valueEncoding: 'view' });
    try {
      await db.open();
      await checkFormat(db);
      return new LevelIndex(db);
    } catch (error) {
      await db.close();
      throw translate(error, `the index ${directory}`);
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
      await this.#guard(() => this.#applyRows(toRowChanges(changes), position));
    } finally {
      this.#applying = false;
    }
  }

  async #applyRows(changes: readonly RowChange[], position: LogPosition | undefined): Promise<void> {
    const [oldState, ...oldValues] = await this.#db.getMany([stateKey, ...changes.map(({ key }) => key)]);
    let { count, sum } = oldState === undefined ? emptyState : decodeState(oldState);
    const batch = this.#db.batch();
    for (const [i, { key, value }] of changes.entries()) {
      const oldValue = oldValues[i];
      if (oldValue !== undefined) {
        count -= 1;
        sum -= rowChecksum(oldValue);
      }
      if (value === undefined) {
        batch.del(key);
      } else {
        count += 1;
        sum += rowChecksum(value);
        batch.put(key, value);
      }
    }
    batch.put(stateKey, encodeState({ position, count, sum: modulo32(sum) }));
    await batch.write({ sync: true });
  }

  async *entries(): AsyncIterable<readonly IndexEntry[]> {
    this.#refuseWhenClosed();
    // One iterator is one snapshot: the state it meets first is that of the rows that follow.
    const iterator = this.#db.iterator({ gte: firstKey, lt: keysEnd });
    let state = emptyState;
    let count = 0;
    let sum = 0;
    try {
      for (;;) {
        const pairs = await this.#guard(() => iterator.nextv(limits.indexReadRowsMax));
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
    }
    if (count !== state.count || sum !== state.sum) {
      throw new CairnError('corrupt', `the index holds ${count} rows, and they are not the ${state.count} written`);
    }
  }

  async list(after: BlobHash | undefined, limit: number): Promise<IndexEntry[]> {
    const from = after === undefined ? { gte: firstRowKey } : { gt: encodeRowKey(after) };
    const pairs = await this.#guard(() => this.#db.iterator({ ...from, lt: keysEnd, limit }).all());
    return pairs.map(([key, value]) => ({ hash: decodeRowKey(key), row: decodeRow(key, value) }));
  }

  async close(): Promise<void> {
    await this.#db.close();
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    this.#refuseWhenClosed();
    try {
      return await work();
    } catch (error) {
      throw translate(error, 'the index');
    }
  }

  #refuseWhenClosed(): void {
    if (this.#db.status !== 'open') throw new CairnError('unavailable', 'the index is closed');
  }
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

/** The last change of each hash. */
function toRowChanges(changes: readonly IndexChange[]): RowChange[] {
  const last = new Map<string, RowChange>();
  for (const { hash, row } of changes) {
    const key = encodeRowKey(hash);
    last.set(hashHex(hash), { key, value: row && encodeRow(key, row) });
  }
  return [...last.values()];
}

function modulo32(value: number): number {
  return ((value % 2 ** 32) + 2 ** 32) % 2 ** 32;
}

const noSpace = /No space left|quota exceeded/i;
const environment = /Permission denied|Too many open files|Input\/output error|Read-only file system|Cannot allocate/i;

/** LevelDB gives system errors as text alone. What is no trouble of the machine's is damage: a file missing, or wrong. */
function translate(error: unknown, what: string): CairnError {
  if (error instanceof CairnError) return error;
  const { code, message } = rootCause(error);
  const failed = (as: 'corrupt' | 'no_space' | 'storage' | 'unavailable', words: string) =>
    new CairnError(as, `${what} ${words}: ${message}`, { cause: error });
  if (code === 'LEVEL_LOCKED') return failed('unavailable', 'is in use by another process');
  if (code === 'LEVEL_DATABASE_NOT_OPEN' || code === 'LEVEL_ITERATOR_NOT_OPEN')
    return failed('unavailable', 'is closed');
  if (noSpace.test(message)) return failed('no_space', 'has no space left');
  if (environment.test(message)) return failed('storage', 'cannot be used');
  return failed('corrupt', 'is damaged');
}

/** abstract-level wraps what went wrong on opening into an error that says only that. */
function rootCause(error: unknown): { code: unknown; message: string } {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  if (!(root instanceof Error)) return { code: undefined, message: String(root) };
  return { code: 'code' in root ? root.code : undefined, message: root.message };
}
