// The state machine of the metadata, over rows of an ordered database: entries go in, in order, and answers come out. It
// knows nothing of how the entries came to have their order, so one node and a group of nodes share it: LevelKv makes the
// order itself, a Raft host takes it from its log. What was answered is durable. One `apply` at a time; reads and watches
// go on beside it, and see a state that was reached, never a part of a transaction.
//
// After a crash the state is that of some entry that had been applied, at least the last one that was answered with a
// change; `appliedIndex` says which, and entries behind it are to be applied again. After a failed write nobody knows what
// the disk holds: nothing more is applied until the state is opened anew.

import { assert, CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { EntryApplier, type KvEntry, type KvOutcome } from './apply-entries.js';
import type { KeySpan } from './keys.js';
import type { KeyRange, KeyValue, RangeOptions, RangePage, ReadOptions } from './kv.js';
import { type Changes, readChanges } from './read-changes.js';
import { countKeys, countKeysAt, readKey, readKeyAt, readPage, readPageAt } from './read-rows.js';
import type { RowChange, RowDb, RowReader } from './row-db.js';
import { decodeState, encodeState, formatKey, formatValue, type StateRow, stateKey } from './rows.js';
import { Sweeper } from './sweeper.js';

/** Before the first transaction, as in etcd. */
const firstState: StateRow = { revision: 1, compacted: 0, appliedIndex: 0 };

export class KvState {
  readonly #db: RowDb;
  readonly #onFailed: (error: CairnError) => void;
  readonly #sweeper: Sweeper;
  readonly #listeners = new Set<() => void>();
  #state: StateRow;
  #durableIndex: number;
  #isApplying = false;
  #failure: CairnError | undefined;
  #isClosed = false;

  private constructor(db: RowDb, state: StateRow, onFailed: (error: CairnError) => void) {
    this.#db = db;
    this.#onFailed = onFailed;
    this.#state = state;
    this.#durableIndex = state.appliedIndex;
    this.#sweeper = new Sweeper(db);
  }

  /**
   * Takes the database over, also when it fails: `corrupt` when it holds something else. `onFailed` is told of the write that
   * was the last.
   */
  static async open(db: RowDb, onFailed: (error: CairnError) => void = () => {}): Promise<KvState> {
    try {
      await checkFormat(db);
      const opened = new KvState(db, await readState(db), onFailed);
      opened.#sweeper.sweepTo(opened.compacted);
      return opened;
    } catch (error) {
      await db.close();
      throw error;
    }
  }

  get revision(): number {
    return this.#state.revision;
  }

  /** Revisions before it cannot be read, and changes up to it are forgotten. */
  get compacted(): number {
    return this.#state.compacted;
  }

  /** Index of the last entry that was applied. */
  get appliedIndex(): number {
    return this.#state.appliedIndex;
  }

  /** Index of the last entry that the disk knows to have been applied; those behind it have changed nothing. */
  get durableIndex(): number {
    return this.#durableIndex;
  }

  /**
   * One outcome for each entry, in order, when what they changed is durable. `rowsAt` names rows that go to the disk in the
   * same step as the state after the entry of that index. `known` is told the outcomes earlier, when they are certain for whom
   * the entries themselves are safe elsewhere.
   */
  async apply(
    entries: readonly KvEntry[],
    rowsAt: (appliedIndex: number) => readonly RowChange[] = () => [],
    known: (outcomes: readonly KvOutcome[]) => void = () => {},
  ): Promise<KvOutcome[]> {
    this.refuseWhenClosed();
    if (this.#failure !== undefined) throw this.#failure;
    assert(!this.#isApplying, 'entries are applied one call after the other');
    this.#isApplying = true;
    try {
      const commit = (rows: readonly RowChange[], state: StateRow) =>
        this.#commit(rows, state, rowsAt(state.appliedIndex));
      return await new EntryApplier(this.#db, this.#state, commit).apply(entries, known);
    } finally {
      this.#isApplying = false;
    }
  }

  async get(key: Uint8Array, { revision }: ReadOptions): Promise<KeyValue | undefined> {
    this.refuseWhenClosed();
    if (revision === undefined) return readKey(this.#db, key);
    return this.#at(revision, (reader) => readKeyAt(reader, key, revision));
  }

  async range(range: KeyRange, { revision, ...options }: RangeOptions): Promise<RangePage> {
    this.refuseWhenClosed();
    if (revision !== undefined) {
      return { ...(await this.#at(revision, (reader) => readPageAt(reader, range, revision, options))), revision };
    }
    return this.#withSnapshot(async (reader) => {
      // The snapshot may be a step ahead of what has been told of.
      const state = await readState(reader);
      return { ...(await readPage(reader, range, options)), revision: state.revision };
    });
  }

  async count(range: KeyRange, { revision }: ReadOptions): Promise<number> {
    this.refuseWhenClosed();
    if (revision === undefined) return countKeys(this.#db, range);
    return this.#at(revision, (reader) => countKeysAt(reader, range, revision));
  }

  /** Changes of the keys from this revision on, some or all; `out_of_range` when they are forgotten. */
  async changes(from: number, span: KeySpan): Promise<Changes> {
    this.refuseForgotten(from);
    return readChanges(this.#db, from, this.revision, span).catch((error) => {
      // Their values may have been forgotten, and swept away, while the changes were read.
      this.refuseForgotten(from);
      throw error;
    });
  }

  refuseForgotten(revision: number): void {
    if (revision <= this.compacted) throw compactedError(revision);
  }

  refuseWhenClosed(): void {
    if (this.#isClosed) throw new CairnError('unavailable', 'the metadata is closed');
  }

  /** Calls back after every change of the state, and at its end. The answer stops that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#notify();
    await this.#sweeper.stop();
    await this.#db.close();
  }

  async #commit(rows: readonly RowChange[], state: StateRow, more: readonly RowChange[]): Promise<void> {
    const { revision, compacted } = this.#state;
    const isChanged = state.revision !== revision || state.compacted !== compacted;
    const isFar = state.appliedIndex - this.#durableIndex >= limits.kvUnwrittenEntriesMax;
    // Entries that changed nothing may be applied again, and change nothing again. So they cost no write, mostly.
    if (isChanged || isFar) {
      try {
        await this.#db.write([...rows, ...more, { key: stateKey, value: encodeState(state) }]);
        this.#durableIndex = state.appliedIndex;
      } catch (error) {
        this.#failure =
          error instanceof CairnError ? error : new CairnError('storage', String(error), { cause: error });
        this.#onFailed(this.#failure);
        throw this.#failure;
      }
    }
    this.#state = state;
    this.#notify();
    this.#sweeper.sweepTo(state.compacted);
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  /** A look at an earlier revision. What it sees is swept away only after the snapshot was taken. */
  async #at<T>(revision: number, read: (reader: RowReader) => Promise<T>): Promise<T> {
    if (revision < this.compacted) throw compactedError(revision);
    if (revision > this.revision) throw new CairnError('out_of_range', `revision ${revision} is still to come`);
    return this.#withSnapshot(read);
  }

  async #withSnapshot<T>(read: (reader: RowReader) => Promise<T>): Promise<T> {
    const snapshot = this.#db.snapshot();
    try {
      return await read(snapshot);
    } finally {
      await snapshot.close();
    }
  }
}

function compactedError(revision: number): CairnError {
  return new CairnError('out_of_range', `revision ${revision} has been compacted`);
}

async function readState(reader: RowReader): Promise<StateRow> {
  const [row] = await reader.getMany([stateKey]);
  return row === undefined ? firstState : decodeState(row);
}

async function checkFormat(db: RowDb): Promise<void> {
  const [format] = await db.getMany([formatKey]);
  if (format !== undefined) {
    if (Buffer.compare(format, formatValue) !== 0) throw new CairnError('corrupt', 'the metadata is of another format');
    return;
  }
  const cursor = db.cursor({ gte: new Uint8Array(0), lt: Uint8Array.of(0xff) }, { keysOnly: true });
  const rows = await cursor.next(1).finally(() => cursor.close());
  if (rows.length > 0) throw new CairnError('corrupt', 'the metadata does not say its format');
  await db.write([{ key: formatKey, value: formatValue }]);
}
