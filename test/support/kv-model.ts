// What a metadata store must answer, told by the simplest means: the list of all changes, replayed for every question. And
// random transactions to ask with, over few keys, so that they meet.

import { assert, CairnError } from '../../src/base/errors.js';
import { compareKeys, isInRange, keyName, textKey } from '../../src/meta/keys.js';
import type {
  Compare,
  Comparison,
  KeyRange,
  KeyValue,
  KvEvent,
  Operation,
  OperationResult,
  PageOptions,
  Txn,
  TxnResult,
  WatchBatch,
} from '../../src/meta/kv.js';
import type { SeededRandom } from './random.js';

export class KvModel {
  readonly firstRevision: number;
  revision: number;
  compacted = 0;
  readonly #history: WatchBatch[] = [];
  #now = new Map<string, KeyValue>();

  /** Begins with no keys, at this revision. */
  constructor(revision: number) {
    this.firstRevision = revision;
    this.revision = revision;
  }

  apply({ compares = [], success, failure = [] }: Txn): TxnResult {
    const before = this.#now;
    const succeeded = compares.every((compare) => holds(compare, before.get(keyName(compare.key))));
    const revision = this.revision + 1;
    const events: KvEvent[] = [];
    const results = (succeeded ? success : failure).map((operation): OperationResult => {
      if (operation.kind === 'range') return { kind: 'range', ...pageOf(before, operation.range, operation) };
      if (operation.kind === 'delete') {
        const doomed = sorted(before).filter(({ key }) => isInRange(key, operation.range));
        for (const { key } of doomed) events.push({ kind: 'delete', key, revision });
        return { kind: 'delete', deleted: doomed.length };
      }
      const { key, value } = operation;
      const old = before.get(keyName(key));
      const createRevision = old?.createRevision ?? revision;
      events.push({ kind: 'put', item: { key, value, createRevision, revision, version: (old?.version ?? 0) + 1 } });
      return { kind: 'put' };
    });
    if (events.length > 0) {
      this.revision = revision;
      events.sort((a, b) => compareKeys(keyOf(a), keyOf(b)));
      this.#history.push({ revision, events });
      this.#now = replay(this.#now, events);
    }
    return { succeeded, revision: this.revision, results };
  }

  compact(revision: number): void {
    this.compacted = Math.max(this.compacted, revision);
  }

  /** The items of a page, or the error's code. */
  page(range: KeyRange, options: PageOptions, revision = this.revision): ReturnType<typeof pageOf> | 'out_of_range' {
    if (revision < this.compacted || revision > this.revision) return 'out_of_range';
    return pageOf(this.#stateAt(revision), range, options);
  }

  count(range: KeyRange): number {
    return sorted(this.#now).filter(({ key }) => isInRange(key, range)).length;
  }

  /** What a watch of the range sees from this revision up to the present. */
  changes(range: KeyRange, from: number): WatchBatch[] {
    assert(from > this.compacted, 'the model watches what is not forgotten');
    return this.#history.flatMap(({ revision, events }) => {
      const seen = events.filter((event) => isInRange(keyOf(event), range));
      return revision < from || seen.length === 0 ? [] : [{ revision, events: seen }];
    });
  }

  #stateAt(revision: number): Map<string, KeyValue> {
    let state = new Map<string, KeyValue>();
    for (const batch of this.#history) if (batch.revision <= revision) state = replay(state, batch.events);
    return state;
  }
}

function replay(state: ReadonlyMap<string, KeyValue>, events: readonly KvEvent[]): Map<string, KeyValue> {
  const next = new Map(state);
  for (const event of events) {
    if (event.kind === 'put') next.set(keyName(event.item.key), event.item);
    else next.delete(keyName(event.key));
  }
  return next;
}

function keyOf(event: KvEvent): Uint8Array {
  return event.kind === 'put' ? event.item.key : event.key;
}

function sorted(state: ReadonlyMap<string, KeyValue>): KeyValue[] {
  return [...state.values()].sort((a, b) => compareKeys(a.key, b.key));
}

function pageOf(state: ReadonlyMap<string, KeyValue>, range: KeyRange, { limit = 1000, after, keysOnly }: PageOptions) {
  const found = sorted(state).filter(
    ({ key }) => isInRange(key, range) && (after === undefined || compareKeys(key, after) > 0),
  );
  const items = found.slice(0, limit).map((item) => (keysOnly ? { ...item, value: new Uint8Array(0) } : item));
  return { items, more: found.length > limit };
}

function holds(compare: Compare, item: KeyValue | undefined): boolean {
  const test = (order: number) => ({ '=': order === 0, '!=': order !== 0, '<': order < 0, '>': order > 0 })[compare.is];
  if (compare.target === 'value') return item !== undefined && test(Buffer.compare(item.value, compare.value));
  return test((item?.[compare.target] ?? 0) - compare.value);
}

const names = ['a', 'a\0', 'a\0b', 'aa', 'ab', 'b', 'b\0\0', 'ba', 'c', '\0', 'd', 'da', 'e'];

/** Keys, ranges and transactions below a prefix. */
export class RandomTxns {
  readonly #random: SeededRandom;
  readonly #prefix: Uint8Array;

  constructor(random: SeededRandom, prefix: Uint8Array) {
    this.#random = random;
    this.#prefix = prefix;
  }

  key(): Uint8Array {
    return Uint8Array.from([...this.#prefix, ...textKey(this.#random.pick(names))]);
  }

  range(): KeyRange {
    const [a, b] = [this.key(), this.key()].sort(compareKeys);
    return this.#random.chance(0.3) || compareKeys(a!, b!) === 0 ? { start: a! } : { start: a!, end: b! };
  }

  page(): PageOptions {
    const random = this.#random;
    return {
      ...(random.chance(0.5) && { limit: random.between(1, 4) }),
      ...(random.chance(0.3) && { after: this.key() }),
      ...(random.chance(0.3) && { keysOnly: true }),
    };
  }

  /** `revision`: about the present. */
  txn(revision: number): Txn {
    const random = this.#random;
    const list = <T>(countMax: number, make: () => T) =>
      Array.from({ length: random.below(countMax + 1) }, () => make());
    return {
      compares: random.chance(0.5) ? list(2, () => this.#compare(revision)) : [],
      success: this.#operations(),
      failure: random.chance(0.5) ? this.#operations() : [],
    };
  }

  #compare(revision: number): Compare {
    const random = this.#random;
    const is = random.pick<Comparison>(['=', '!=', '<', '>']);
    const key = this.key();
    const target = random.pick(['value', 'version', 'revision', 'createRevision'] as const);
    if (target === 'value') return { key, target, is, value: this.#value() };
    const value = target === 'version' ? random.below(4) : Math.max(0, revision - random.below(20));
    return { key, target, is, value };
  }

  #operations(): Operation[] {
    const random = this.#random;
    const operations: Operation[] = [];
    const written: KeyRange[] = [];
    for (let i = random.below(5); i > 0; i--) {
      const operation = this.#operation();
      if (operation.kind !== 'range') {
        const range = operation.kind === 'put' ? { start: operation.key } : operation.range;
        if (written.some((other) => overlap(range, other))) continue;
        written.push(range);
      }
      operations.push(operation);
    }
    return operations;
  }

  #operation(): Operation {
    const kind = this.#random.pick(['put', 'put', 'put', 'delete', 'range'] as const);
    if (kind === 'put') return { kind, key: this.key(), value: this.#value() };
    if (kind === 'delete') return { kind, range: this.range() };
    return { kind, range: this.range(), ...this.page() };
  }

  #value(): Uint8Array {
    return this.#random.bytes(this.#random.below(3));
  }
}

function overlap(a: KeyRange, b: KeyRange): boolean {
  return isInRange(a.start, b) || isInRange(b.start, a);
}

/** Whether an answer is the model's; errors by their codes. */
export async function outcomeOf<T>(work: Promise<T>): Promise<T | string> {
  return work.catch((error) => {
    if (error instanceof CairnError) return error.code;
    throw error;
  });
}

/** The same value with hex digits for bytes: some bytes are Buffers, and equal all the same. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}
