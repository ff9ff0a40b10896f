// Applies entries to the rows, in order: what they change, and the index of the last of them, go to the disk in the same
// synced batch. Mostly all entries of one call make one batch. A transaction that reads or deletes a range in which the
// batch has changed something first makes the batch durable; so ranges are read from the rows alone. Where batches are cut
// makes no difference to any answer.

import { assert, CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { compareKeys, isInRange, keyName, spanOf } from './keys.js';
import type { Compare, KeyRange, Operation, Page, Txn, TxnResult } from './kv.js';
import { holdsAll, type KvChange, type KvView, type PresentKey, performOperations } from './perform-txn.js';
import { presentKeys, readHeads, readPage, readValues } from './read-rows.js';
import type { RowChange, RowReader } from './row-db.js';
import {
  changeKey,
  encodeChange,
  encodeHead,
  encodeVersion,
  headKey,
  type KeyHead,
  type StateRow,
  versionKey,
} from './rows.js';

export type KvCommand =
  | { readonly kind: 'txn'; readonly txn: Txn }
  | { readonly kind: 'compact'; readonly revision: number };

export interface KvEntry {
  /** Greater than that of every entry before. */
  readonly index: number;
  /** Undefined for an entry that means nothing to the metadata, but moves the index. */
  readonly command: KvCommand | undefined;
}

/** What a command was answered. An error is the same on every node, and nothing was changed. */
export type KvOutcome = TxnResult | CairnError | undefined;

/** Makes these rows durable, and with them the state that they lead to. */
export type CommitRows = (rows: readonly RowChange[], state: StateRow) => Promise<void>;

const noBytes = new Uint8Array(0);

export class EntryApplier {
  readonly #db: RowReader;
  readonly #commit: CommitRows;
  #state: StateRow;
  /** Heads and values as they are after the entries so far: of all keys an entry names, and of all that were changed. */
  readonly #heads = new Map<string, KeyHead | undefined>();
  readonly #values = new Map<string, Uint8Array>();
  #rows: RowChange[] = [];
  #changed: Uint8Array[] = [];

  constructor(db: RowReader, state: StateRow, commit: CommitRows) {
    this.#db = db;
    this.#state = state;
    this.#commit = commit;
  }

  /** `known` is told the outcomes as soon as they are certain, before the last of it is durable. */
  async apply(entries: readonly KvEntry[], known: (outcomes: readonly KvOutcome[]) => void): Promise<KvOutcome[]> {
    await this.#readHeads(entries);
    const outcomes: KvOutcome[] = [];
    for (const { index, command } of entries) {
      const outcome = command && (await this.#perform(command));
      this.#state = { ...this.#state, appliedIndex: index };
      outcomes.push(outcome);
    }
    known(outcomes);
    await this.#flush();
    return outcomes;
  }

  #perform(command: KvCommand): Promise<KvOutcome> | KvOutcome {
    return command.kind === 'txn' ? this.#performTxn(command.txn) : this.#compact(command.revision);
  }

  #compact(revision: number): KvOutcome {
    if (revision > this.#state.revision) {
      return new CairnError('out_of_range', `revision ${revision} is still to come`);
    }
    this.#state = { ...this.#state, compacted: Math.max(this.#state.compacted, revision) };
    return undefined;
  }

  async #performTxn({ compares = [], success, failure = [] }: Txn): Promise<KvOutcome> {
    const view: KvView = {
      head: (key) => this.#heads.get(keyName(key)),
      value: (key) => lookedUp(this.#values.get(keyName(key))),
      page: (operation) => lookedUp(pages.get(operation)),
      keys: (range) => lookedUp(doomed.get(range)),
    };
    const pages = new Map<Operation, Page>();
    const doomed = new Map<KeyRange, readonly PresentKey[]>();
    await this.#readValues(compares);
    const succeeded = holdsAll(compares, view);
    const branch = succeeded ? success : failure;
    if (this.#readsChanges(branch)) await this.#flush();
    for (const operation of branch) {
      if (operation.kind === 'range') pages.set(operation, await this.#readRange(operation));
      if (operation.kind !== 'delete') continue;
      const keys = await this.#readDoomed(operation.range);
      if (keys.length > limits.kvDeletedCountMax) {
        return new CairnError('too_large', `a delete takes ${limits.kvDeletedCountMax} keys at most`);
      }
      doomed.set(operation.range, keys);
    }
    const { results, changes } = performOperations(branch, this.#state.revision + 1, view);
    if (changes.length > 0) this.#record(changes);
    return { succeeded, revision: this.#state.revision, results };
  }

  async #readRange(operation: Operation & { kind: 'range' }): Promise<Page> {
    const { range, after, keysOnly } = operation;
    if (range.end !== undefined) return readPage(this.#db, range, operation);
    const isBehind = after !== undefined && compareKeys(after, range.start) >= 0;
    const [single] = isBehind ? [] : this.#single(range);
    if (single === undefined) return { items: [], more: false };
    const { key, head } = single;
    const value = keysOnly ? noBytes : (this.#values.get(keyName(key)) ?? (await readValues(this.#db, [single]))[0]!);
    return { items: [{ key, value, ...head }], more: false };
  }

  async #readDoomed(range: KeyRange): Promise<readonly PresentKey[]> {
    return range.end === undefined
      ? this.#single(range)
      : presentKeys(this.#db, spanOf(range), limits.kvDeletedCountMax + 1);
  }

  #single({ start: key }: KeyRange): PresentKey[] {
    const head = this.#heads.get(keyName(key));
    return head === undefined ? [] : [{ key, head }];
  }

  /** Of the keys whose values are compared, unless they are at hand. */
  async #readValues(compares: readonly Compare[]): Promise<void> {
    const wanted = compares
      .filter(({ key, target }) => target === 'value' && !this.#values.has(keyName(key)))
      .flatMap(({ key }) => this.#single({ start: key }));
    const values = await readValues(this.#db, wanted);
    for (const [i, { key }] of wanted.entries()) this.#values.set(keyName(key), values[i]!);
  }

  #record(changes: readonly KvChange[]): void {
    const revision = this.#state.revision + 1;
    this.#state = { ...this.#state, revision };
    for (const [index, change] of changes.entries()) {
      const name = keyName(change.key);
      this.#heads.set(name, change.put?.head);
      if (change.put === undefined) this.#values.delete(name);
      else this.#values.set(name, change.put.value);
      this.#changed.push(change.key);
      this.#rows.push(...rowsOf(change, revision, index));
    }
  }

  #readsChanges(operations: readonly Operation[]): boolean {
    return operations.some(
      (operation) =>
        operation.kind !== 'put' &&
        operation.range.end !== undefined &&
        this.#changed.some((key) => isInRange(key, operation.range)),
    );
  }

  async #flush(): Promise<void> {
    await this.#commit(this.#rows, this.#state);
    this.#rows = [];
    this.#changed = [];
  }

  /** Looks up all keys that the entries name, at once. */
  async #readHeads(entries: readonly KvEntry[]): Promise<void> {
    const keys = new Map<string, Uint8Array>();
    const add = (key: Uint8Array) => keys.set(keyName(key), key);
    for (const { command } of entries) {
      if (command?.kind !== 'txn') continue;
      const { compares = [], success, failure = [] } = command.txn;
      for (const { key } of compares) add(key);
      for (const operation of [...success, ...failure]) {
        if (operation.kind === 'put') add(operation.key);
        else if (operation.range.end === undefined) add(operation.range.start);
      }
    }
    const heads = await readHeads(this.#db, [...keys.values()]);
    for (const [i, name] of [...keys.keys()].entries()) this.#heads.set(name, heads[i]);
  }
}

function rowsOf({ key, put, before }: KvChange, revision: number, index: number): RowChange[] {
  const head = headKey(key);
  const version = versionKey(key, revision);
  const change = changeKey(revision, index);
  const deleted = put === undefined;
  const { createRevision = 0, version: number = 0 } = put?.head ?? {};
  return [
    { key: head, value: put && encodeHead(head, put.head) },
    {
      key: version,
      value: encodeVersion(version, { deleted, createRevision, version: number, value: put?.value ?? noBytes }),
    },
    { key: change, value: encodeChange(change, { deleted, previous: before?.revision ?? 0, key }) },
  ];
}

/** Everything a transaction can ask for has been looked up before it is performed. */
function lookedUp<T>(found: T | undefined): T {
  assert(found !== undefined, 'a transaction reads what was looked up for it');
  return found;
}
