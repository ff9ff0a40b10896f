// A `KvStore` whose keys are on a server, over MetaService: for admins. It differs from an engine at hand in three things:
//   - a watch ends with `unavailable` when its connection breaks; where to go on is the caller's to know;
//   - the reads of one transaction together give one page, and say that there is more;
//   - what the server refuses as too much is `no_space`, whether it is bytes, keys or disk.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Client, createClient, type Transport } from '@connectrpc/connect';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import {
  type MetaCompareSchema,
  MetaComparison,
  type MetaEvent,
  type MetaItem,
  type MetaOperationSchema,
  type MetaRangeSchema,
  type MetaResult,
  MetaRole,
  MetaService,
} from '../gen/cairn/v1/meta_service_pb.js';
import {
  checkKey,
  checkRange,
  checkRangeRead,
  checkRead,
  checkRevision,
  checkTxn,
  checkWatch,
} from '../meta/check-txn.js';
import type {
  Compare,
  KeyRange,
  KeyValue,
  KvEvent,
  KvStatus,
  KvStore,
  NodeRole,
  Operation,
  OperationResult,
  PageOptions,
  RangeOptions,
  RangePage,
  ReadOptions,
  Txn,
  TxnResult,
  WatchBatch,
  WatchOptions,
} from '../meta/kv.js';
import { toCairnError } from './error-codes.js';

export class RemoteKv implements KvStore {
  readonly #service: Client<typeof MetaService>;
  readonly #closing = new AbortController();

  /** The connection is the caller's to close. */
  constructor(transport: Transport) {
    this.#service = createClient(MetaService, transport);
  }

  async get(key: Uint8Array, options: ReadOptions = {}): Promise<KeyValue | undefined> {
    checkKey(key);
    checkRead(options);
    try {
      const { item } = await this.#called(this.#service.getKey({ key, ...readFields(options) }, this.#call()));
      return item && fromItem(item);
    } catch (error) {
      if (error instanceof CairnError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  async range(range: KeyRange, options: RangeOptions = {}): Promise<RangePage> {
    checkRangeRead(range, options);
    const request = { range: toRange(range), ...pageFields(options), ...readFields(options) };
    const { items, more, revision } = await this.#called(this.#service.rangeKeys(request, this.#call()));
    return { items: items.map(fromItem), more, revision: Number(revision) };
  }

  async count(range: KeyRange, options: ReadOptions = {}): Promise<number> {
    checkRange(range);
    checkRead(options);
    const request = { range: toRange(range), ...readFields(options) };
    return Number((await this.#called(this.#service.countKeys(request, this.#call()))).count);
  }

  async txn(txn: Txn): Promise<TxnResult> {
    checkTxn(txn);
    const { compares = [], success, failure = [] } = txn;
    const request = {
      compares: compares.map(toCompare),
      success: success.map(toOperation),
      failure: failure.map(toOperation),
    };
    const { succeeded, revision, results } = await this.#called(this.#service.commitTxn(request, this.#call()));
    const branch = succeeded ? success : failure;
    return {
      succeeded,
      revision: Number(revision),
      results: results.map((result, i) => fromResult(branch[i]!, result)),
    };
  }

  async *watch(range: KeyRange, options: WatchOptions): AsyncGenerator<WatchBatch, never> {
    checkWatch(range, options);
    const { from, signal } = options;
    const stop = new AbortController();
    const end = () => stop.abort();
    for (const source of [signal, this.#closing.signal]) source?.addEventListener('abort', end);
    try {
      if (signal?.aborted || this.#closing.signal.aborted) throw new CairnError('canceled', 'the watch was canceled');
      const request = { range: toRange(range), from: BigInt(from) };
      let events: KvEvent[] = [];
      for await (const message of this.#service.watchKeys(request, { signal: stop.signal })) {
        events.push(...message.events.map(fromEvent));
        if (message.more) continue;
        yield { revision: Number(message.revision), events };
        events = [];
      }
      throw new CairnError('unavailable', 'the server ended the watch');
    } catch (error) {
      throw this.#failure(error, signal);
    } finally {
      stop.abort();
      for (const source of [signal, this.#closing.signal]) source?.removeEventListener('abort', end);
    }
  }

  async compact(revision: number): Promise<void> {
    checkRevision(revision);
    await this.#called(this.#service.compactHistory({ revision: BigInt(revision) }, this.#call()));
  }

  async status(): Promise<KvStatus> {
    const status = await this.#called(this.#service.getMetaStatus({}, this.#call()));
    return {
      engine: status.engine as KvStatus['engine'],
      nodeId: status.nodeId,
      role: roles[status.role] ?? 'follower',
      term: Number(status.term),
      leaderId: status.leaderId === '' ? undefined : status.leaderId,
      commitIndex: Number(status.commitIndex),
      appliedIndex: Number(status.appliedIndex),
      revision: Number(status.revision),
      peers: status.peers.map((peer) => ({
        nodeId: peer.nodeId,
        address: peer.address,
        nextIndex: Number(peer.nextIndex),
        matchIndex: Number(peer.matchIndex),
      })),
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
  }

  #call() {
    return { signal: this.#closing.signal };
  }

  async #called<Answer>(answer: Promise<Answer>): Promise<Answer> {
    try {
      return await answer;
    } catch (error) {
      throw this.#failure(error, undefined);
    }
  }

  #failure(error: unknown, signal: AbortSignal | undefined): CairnError {
    if (this.#closing.signal.aborted) return new CairnError('unavailable', 'the metadata is closed', { cause: error });
    return toCairnError(error, signal);
  }
}

const roles: Readonly<Partial<Record<MetaRole, NodeRole>>> = {
  [MetaRole.LEADER]: 'leader',
  [MetaRole.FOLLOWER]: 'follower',
  [MetaRole.CANDIDATE]: 'candidate',
  [MetaRole.LEARNER]: 'learner',
};

const comparisons = {
  '=': MetaComparison.EQUAL,
  '!=': MetaComparison.NOT_EQUAL,
  '<': MetaComparison.LESS,
  '>': MetaComparison.GREATER,
} as const;

const noBytes = new Uint8Array(0);

function readFields({ stale = false, revision = 0 }: ReadOptions) {
  return { stale, revision: BigInt(revision) };
}

function pageFields({ limit = limits.kvPageCountMax, after = noBytes, keysOnly = false }: PageOptions) {
  return { limit, after, keysOnly };
}

function toRange({ start, end }: KeyRange): MessageInitShape<typeof MetaRangeSchema> {
  return end === undefined ? { start } : { start, end };
}

function toCompare(compare: Compare): MessageInitShape<typeof MetaCompareSchema> {
  const of = { key: compare.key, is: comparisons[compare.is] };
  if (compare.target === 'value') return { ...of, target: { case: 'value', value: compare.value } };
  return { ...of, target: { case: compare.target, value: BigInt(compare.value) } };
}

function toOperation(operation: Operation): MessageInitShape<typeof MetaOperationSchema> {
  switch (operation.kind) {
    case 'put':
      return { operation: { case: 'put', value: { key: operation.key, value: operation.value } } };
    case 'delete':
      return { operation: { case: 'delete', value: { range: toRange(operation.range) } } };
    case 'range':
      return { operation: { case: 'read', value: { range: toRange(operation.range), ...pageFields(operation) } } };
  }
}

function fromItem({ key, value, createRevision, revision, version }: MetaItem): KeyValue {
  return {
    key,
    value,
    createRevision: Number(createRevision),
    revision: Number(revision),
    version: Number(version),
  };
}

function fromEvent({ item, deleted }: MetaEvent): KvEvent {
  const { key, revision } = item!;
  return deleted ? { kind: 'delete', key, revision: Number(revision) } : { kind: 'put', item: fromItem(item!) };
}

function fromResult(operation: Operation, { deleted, items, more }: MetaResult): OperationResult {
  if (operation.kind === 'put') return { kind: 'put' };
  if (operation.kind === 'delete') return { kind: 'delete', deleted: Number(deleted) };
  return { kind: 'range', items: items.map(fromItem), more };
}
