// Metadata in an etcd cluster (3.4 and later) that somebody else runs. What is checked and cut is the same as with the other
// engines; what etcd does otherwise is evened out here:
//   - a transaction's reads see the state before its writes, so they are sent first;
//   - a page ends where its values become many bytes: etcd would send all of them;
//   - how many keys a delete takes is counted beforehand, in both branches. Keys added in between are deleted, too.
// History is compacted as that cluster is told to, not by us: others may use it.

import type { Clock } from '../base/clock.js';
import { CairnError, errorCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { checkKey, checkRange, checkRangeRead, checkRead, checkRevision, checkTxn, checkWatch } from './check-txn.js';
import { EtcdClient } from './etcd-client.js';
import { etcdCompare, etcdOperation, etcdRead, keyValue, operationResult } from './etcd-messages.js';
import { etcdStatus } from './etcd-status.js';
import { watchEtcd } from './etcd-watch.js';
import { textKey } from './keys.js';
import type {
  KeyRange,
  KeyValue,
  KvStatus,
  KvStore,
  Operation,
  OperationResult,
  RangeOptions,
  RangePage,
  ReadOptions,
  Txn,
  TxnResult,
  WatchBatch,
  WatchOptions,
} from './kv.js';
import { PageBuilder } from './page-builder.js';

export interface EtcdKvOptions {
  /** Members of one cluster, as `http://HOST:PORT`; the first that answers is asked. */
  readonly endpoints: readonly string[];
  /** What our keys begin with in etcd, 1 to 32 bytes; keys of others are neither seen nor touched. */
  readonly prefix: string;
  readonly clock: Clock;
}

export class EtcdKv implements KvStore {
  readonly #client: EtcdClient;
  readonly #prefix: Uint8Array;

  /** Connects with the first call. `invalid_argument` for an endpoint or a prefix that is none. */
  constructor({ endpoints, prefix, clock }: EtcdKvOptions) {
    this.#prefix = textKey(prefix);
    if (prefix === '' || this.#prefix.length > limits.etcdPrefixBytesMax) {
      throw new CairnError('invalid_argument', `a prefix in etcd has 1 to ${limits.etcdPrefixBytesMax} bytes`);
    }
    this.#client = new EtcdClient(endpoints, clock);
  }

  async get(key: Uint8Array, options: ReadOptions = {}): Promise<KeyValue | undefined> {
    checkKey(key);
    checkRead(options);
    const request = etcdRead(this.#prefix, { start: key }, { limit: 1 }, options);
    const { kvs } = await this.#client.read((etcd, call) => etcd.kv.range(request, call));
    return kvs[0] && keyValue(this.#prefix, kvs[0]);
  }

  async range(range: KeyRange, options: RangeOptions = {}): Promise<RangePage> {
    checkRangeRead(range, options);
    const { limit = limits.kvPageCountMax } = options;
    for (let asked = limit; ; asked = Math.max(1, Math.floor(asked / 8))) {
      const request = etcdRead(this.#prefix, range, { ...options, limit: asked }, options);
      try {
        const { kvs, more, header } = await this.#client.read((etcd, call) => etcd.pages.range(request, call));
        const page = new PageBuilder(limit, more);
        for (const item of kvs) page.add(keyValue(this.#prefix, item));
        return { ...page.end(), revision: options.revision ?? Number(header!.revision) };
      } catch (error) {
        if (errorCode(error) !== 'too_large' || asked === 1) throw error;
      }
    }
  }

  async count(range: KeyRange, options: ReadOptions = {}): Promise<number> {
    checkRange(range);
    checkRead(options);
    const request = { ...etcdRead(this.#prefix, range, { limit: 0 }, options), countOnly: true };
    const { count } = await this.#client.read((etcd, call) => etcd.kv.range(request, call));
    return Number(count);
  }

  async txn(txn: Txn): Promise<TxnResult> {
    checkTxn(txn);
    const { compares = [], success, failure = [] } = txn;
    await this.#refuseLargeDeletes([...success, ...failure]);
    const request = {
      compare: compares.map((compare) => etcdCompare(this.#prefix, compare)),
      success: readsFirst(success).map((i) => etcdOperation(this.#prefix, success[i]!)),
      failure: readsFirst(failure).map((i) => etcdOperation(this.#prefix, failure[i]!)),
    };
    const { succeeded, header, responses } = await this.#client.write((etcd, call) => etcd.kv.txn(request, call));
    const branch = succeeded ? success : failure;
    const results: OperationResult[] = [];
    for (const [at, i] of readsFirst(branch).entries())
      results[i] = operationResult(this.#prefix, branch[i]!, responses[at]!);
    return { succeeded, revision: Number(header!.revision), results };
  }

  async *watch(range: KeyRange, options: WatchOptions): AsyncGenerator<WatchBatch, never> {
    checkWatch(range, options);
    return yield* watchEtcd(this.#client, this.#prefix, range, options);
  }

  async compact(revision: number): Promise<void> {
    checkRevision(revision);
    try {
      await this.#client.read((etcd, call) => etcd.kv.compact({ revision: BigInt(revision) }, call));
    } catch (error) {
      // Either it has been compacted that far already, which is as good, or it is still to come.
      if (errorCode(error) !== 'out_of_range' || revision > (await this.status()).revision) throw error;
    }
  }

  status(): Promise<KvStatus> {
    return etcdStatus(this.#client);
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  async #refuseLargeDeletes(operations: readonly Operation[]): Promise<void> {
    const counts = operations.map(async (operation) =>
      operation.kind === 'delete' && operation.range.end !== undefined ? this.count(operation.range) : 0,
    );
    if ((await Promise.all(counts)).some((count) => count > limits.kvDeletedCountMax)) {
      throw new CairnError('too_large', `a delete takes ${limits.kvDeletedCountMax} keys at most`);
    }
  }
}

/** Indexes of the operations in the order in which they are sent. */
function readsFirst(operations: readonly Operation[]): number[] {
  const isRead = (i: number) => operations[i]!.kind === 'range';
  const indexes = [...operations.keys()];
  return [...indexes.filter(isRead), ...indexes.filter((i) => !isRead(i))];
}
