// The metadata as the state machine of a Raft group: committed commands go into a `KvState`, and the group's own state goes to
// the disk in the same step. A snapshot that comes from another node is loaded into a database of its own beside the present
// one; a pointer that is replaced in one step says which of them counts. Layout of the directory:
//   CURRENT        the name of the database that counts
//   <number>/      a database
//   snapshots/     snapshots made here, and such as were fetched

import { join } from 'node:path';
import { assert, CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { FileSystem } from '../../log/file-system.js';
import { replaceFile } from '../../log/replace-file.js';
import type { RaftStateMachine } from '../../raft/driver-parts.js';
import type { Entry, GroupState } from '../../raft/entry.js';
import type { ApplyBatch } from '../../raft/raft-core.js';
import type { KvOutcome } from '../apply-entries.js';
import { KvState } from '../kv-state.js';
import { openLevelRowDb } from '../level-row-db.js';
import type { RowDb, RowReader } from '../row-db.js';
import { decodeCommand } from './command-codec.js';
import { type Group, groupAfter } from './group.js';
import { decodeGroup, encodeGroup } from './raft-messages.js';
import { readSmallFile } from './small-file.js';
import { loadSnapshot, type SnapshotFile, writeSnapshot } from './snapshot-file.js';
import type { SnapshotShelf } from './snapshot-shelf.js';

const groupKey = Buffer.from('m/group');

export interface StateMachineParts {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly shelf: SnapshotShelf;
  /** The state is another one now: all that was read of the one before may be old. */
  readonly onReplaced: () => void;
  /** The group has changed: who belongs to it, or where they are. */
  readonly onGroup: (group: Group) => void;
  /** Throws when the group writes what this node does not understand. */
  readonly refuse: (group: Group) => void;
}

interface Current {
  readonly number: number;
  readonly db: RowDb;
  readonly state: KvState;
}

export class KvStateMachine implements RaftStateMachine<KvOutcome, SnapshotFile> {
  readonly #parts: StateMachineParts;
  #current: Current;
  #group: Group;

  private constructor(parts: StateMachineParts, current: Current, group: Group) {
    this.#parts = parts;
    this.#current = current;
    this.#group = group;
  }

  /** `found` is asked for the group that an empty directory begins with. */
  static async open(parts: StateMachineParts, found: () => Promise<Group>): Promise<KvStateMachine> {
    const { fs, directory } = parts;
    await fs.makeDirectory(directory);
    const number = await readPointer(fs, directory);
    // A database that was being filled when the process stopped.
    for (const name of await fs.list(directory)) {
      if (/^\d+$/.test(name) && Number(name) !== number) await fs.removeDirectory(join(directory, name));
    }
    const founding = number === undefined ? await found() : undefined;
    const current = await openDatabase(directory, number ?? 1);
    try {
      if (founding !== undefined) {
        await current.db.write([{ key: groupKey, value: encodeGroup(founding) }]);
        await writePointer(fs, directory, 1);
      }
      const group = await readGroup(current.db);
      parts.refuse(group);
      return new KvStateMachine(parts, current, group);
    } catch (error) {
      await current.state.close();
      throw error;
    }
  }

  get state(): KvState {
    return this.#current.state;
  }

  /** After the entry that was applied last. */
  get group(): Group {
    return this.#group;
  }

  get durableIndex(): number {
    return Math.max(this.state.durableIndex, this.#foundedIndex());
  }

  /** The founding, or the snapshot that was joined with, is an entry that nobody applied. */
  #foundedIndex(): number {
    return this.state.appliedIndex === 0 ? this.#group.index : 0;
  }

  apply(
    batch: ApplyBatch,
    known: (results: readonly KvOutcome[]) => void,
    done: (error: CairnError | undefined, results: readonly KvOutcome[]) => void,
  ): void {
    this.#apply(batch, known).then(
      (outcomes) => done(undefined, outcomes),
      (error: unknown) => done(asCairnError(error), []),
    );
  }

  async #apply({ entries, after }: ApplyBatch, known: (results: readonly KvOutcome[]) => void): Promise<KvOutcome[]> {
    const before = this.#group;
    const groups = new Map<number, Group>();
    let group = before;
    for (const entry of entries) {
      group = groupAfter(group, entry);
      groups.set(entry.index, group);
    }
    assert(group.index === after.index, 'the host counts as the core does');
    this.#parts.refuse(group);
    const outcomes = await this.state.apply(
      entries.map(({ index, kind, data }) => ({
        index,
        command: kind === 'command' ? decodeCommand(data) : undefined,
      })),
      // A step may end before the first entry of this call.
      (index) => [{ key: groupKey, value: encodeGroup(groups.get(index) ?? before) }],
      known,
    );
    this.#group = group;
    if (group.members !== before.members) this.#parts.onGroup(group);
    return outcomes;
  }

  /** Of a log, those that have not been applied yet, without anybody's consent. */
  async applyAll(entries: readonly Entry[]): Promise<void> {
    const left = entries.filter(({ index }) => index > this.#group.index);
    for (let at = 0; at < left.length; at += limits.kvBatchCountMax) {
      const some = left.slice(at, at + limits.kvBatchCountMax);
      await this.#apply({ entries: some, after: some.reduce(groupAfter, this.#group) }, () => {});
    }
  }

  /** In place of what the entries have made of it. Durable when it resolves. */
  async rewriteGroup(group: Group): Promise<void> {
    await this.#current.db.write([{ key: groupKey, value: encodeGroup(group) }]);
    this.#group = group;
  }

  makeSnapshot(done: (error: CairnError | undefined, group?: GroupState) => void): void {
    this.#makeSnapshot().then(
      (group) => done(undefined, group),
      (error: unknown) => done(asCairnError(error)),
    );
  }

  async #makeSnapshot(): Promise<GroupState> {
    const { fs, shelf } = this.#parts;
    const reader = this.#current.db.snapshot();
    try {
      const group = await readGroup(reader);
      shelf.put(group.index, await writeSnapshot(fs, shelf.directory, group.index, reader));
      return coreState(group);
    } finally {
      await reader.close();
    }
  }

  install(fetched: SnapshotFile, group: GroupState, done: (error?: CairnError) => void): void {
    this.#install(fetched, group).then(
      () => done(),
      (error: unknown) => done(asCairnError(error)),
    );
  }

  async #install(fetched: SnapshotFile, { index, term }: GroupState): Promise<void> {
    const { fs, directory, onReplaced, onGroup, refuse } = this.#parts;
    const number = this.#current.number + 1;
    await fs.removeDirectory(join(directory, `${number}`));
    const db = await openLevelRowDb(join(directory, `${number}`));
    let group: Group;
    try {
      await loadSnapshot(fs, fetched, db);
      group = await readGroup(db);
      if (group.index !== index || group.term !== term) {
        throw new CairnError('corrupt', `the snapshot is of ${group.index}, not of ${index}`);
      }
      refuse(group);
    } finally {
      await db.close();
    }
    await fs.remove(fetched.path);
    const replaced = this.#current;
    await writePointer(fs, directory, number);
    this.#current = await openDatabase(directory, number);
    this.#group = group;
    onReplaced();
    onGroup(group);
    await replaced.state.close();
    await fs.removeDirectory(join(directory, `${replaced.number}`));
  }

  close(): Promise<void> {
    return this.state.close();
  }
}

function coreState({ index, term, configuration, clusterVersion }: Group): GroupState {
  return { index, term, configuration, clusterVersion };
}

async function readGroup(reader: RowReader): Promise<Group> {
  const [row] = await reader.getMany([groupKey]);
  if (row === undefined) throw new CairnError('corrupt', 'the metadata does not say which group it is of');
  return decodeGroup(row);
}

async function openDatabase(directory: string, number: number): Promise<Current> {
  const db = await openLevelRowDb(join(directory, `${number}`));
  return { number, db, state: await KvState.open(db) };
}

const pointerName = 'CURRENT';

async function readPointer(fs: FileSystem, directory: string): Promise<number | undefined> {
  const bytes = await readSmallFile(fs, join(directory, pointerName));
  if (bytes === undefined) return undefined;
  const number = Number(`${bytes}`);
  if (!Number.isSafeInteger(number) || number < 1) {
    throw new CairnError('corrupt', `${join(directory, pointerName)} names no database`);
  }
  return number;
}

/** Durable when it resolves. */
function writePointer(fs: FileSystem, directory: string, number: number): Promise<void> {
  return replaceFile(fs, join(directory, pointerName), Buffer.from(`${number}`));
}

function asCairnError(error: unknown): CairnError {
  return error instanceof CairnError ? error : new CairnError('internal', String(error), { cause: error });
}
