// A `KvStore` whose keys are on a server, over MetaService: for admins. It differs from an engine at hand in one thing: the
// reads of one transaction together give one page, and say that there is more. What is asked for most goes without Connect,
// which costs as much as the server does. A watch that has begun outlives its connections: it goes on behind what it handed
// out last, for as long as it takes.

import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { type Client, createClient, type Transport } from '@connectrpc/connect';
import { type Clock, sleep } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { frameOf } from '../base/message-frame.js';
import type { Random } from '../base/random.js';
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
import { isBrokenConnection, toCairnError } from './error-codes.js';
import type { Call } from './grpc-session.js';
import { retryPause } from './retry-pause.js';

/** The server's connections, which are the caller's to close. */
export interface RemoteKvParts {
  readonly transport: Transport;
  readonly call: Call;
  readonly clock: Clock;
  readonly random: Random;
}

const { getKey, rangeKeys, commitTxn } = MetaService.method;

export class RemoteKv implements KvStore {
  readonly #service: Client<typeof MetaService>;
  readonly #parts: RemoteKvParts;
  readonly #closing = new AbortController();

  constructor(parts: RemoteKvParts) {
    this.#parts = parts;
    this.#service = createClient(MetaService, parts.transport);
  }

  async get(key: Uint8Array, options: ReadOptions = {}): Promise<KeyValue | undefined> {
    checkKey(key);
    checkRead(options);
    try {
      const { item } = await this.#ask(getKey, { key, ...readFields(options) });
      return item && fromItem(item);
    } catch (error) {
      if (error instanceof CairnError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  async range(range: KeyRange, options: RangeOptions = {}): Promise<RangePage> {
    checkRangeRead(range, options);
    const request = { range: toRange(range), ...pageFields(options), ...readFields(options) };
    const { items, more, revision } = await this.#ask(rangeKeys, request);
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
    const { succeeded, revision, results } = await this.#ask(commitTxn, request);
    const branch = succeeded ? success : failure;
    return {
      succeeded,
      revision: Number(revision),
      results: results.map((result, i) => fromResult(branch[i]!, result)),
    };
  }

  async *watch(range: KeyRange, options: WatchOptions): AsyncGenerator<WatchBatch, never> {
    checkWatch(range, options);
    const { signal } = options;
    let next = options.from;
    let hasBegun = false;
    let failures = 0;
    const begun = () => {
      hasBegun = true;
      failures = 0;
    };
    for (;;) {
      try {
        for await (const batch of this.#watchOnce(range, next, signal, begun)) {
          yield batch;
          next = batch.revision + 1;
        }
      } catch (error) {
        const failure = this.#failure(error, signal);
        // Where nobody was to be reached from the start, the address may be wrong.
        if (!hasBegun || this.#closing.signal.aborted || !isBrokenConnection(failure)) throw failure;
      }
      const { kvRetryMillisecondsMin: min, kvRetryMillisecondsMax: max } = limits;
      const most = Math.min(max, min * 2 ** Math.min(failures++, 16));
      await sleep(this.#parts.clock, retryPause(this.#parts.random, most), signal);
    }
  }

  async *#watchOnce(
    range: KeyRange,
    from: number,
    signal: AbortSignal | undefined,
    begun: () => void,
  ): AsyncGenerator<WatchBatch> {
    const stop = new AbortController();
    const end = () => stop.abort();
    for (const source of [signal, this.#closing.signal]) source?.addEventListener('abort', end);
    try {
      if (signal?.aborted || this.#closing.signal.aborted) throw new CairnError('canceled', 'the watch was canceled');
      const request = { range: toRange(range), from: BigInt(from) };
      let events: KvEvent[] = [];
      for await (const message of this.#service.watchKeys(request, { signal: stop.signal, onHeader: begun })) {
        events.push(...message.events.map(fromEvent));
        if (message.more) continue;
        yield { revision: Number(message.revision), events };
        events = [];
      }
    } finally {
      end();
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

  /** One of the calls that are made often. */
  async #ask<Input extends DescMessage, Output extends DescMessage>(
    { name, input, output }: { readonly name: string; readonly input: Input; readonly output: Output },
    request: MessageInitShape<Input>,
  ): Promise<MessageShape<Output>> {
    const frame = frameOf(toBinary(input, create(input, request)));
    const answer = this.#parts.call(`/${MetaService.typeName}/${name}`, frame, this.#closing.signal);
    return fromBinary(output, await this.#called(answer));
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
