// Metadata on this machine alone, in LevelDB: the order of transactions is the order of calls. Those that come while a batch
// is being made durable wait for the next, and share its sync. Reads need not wait for anybody: what was answered is there.

import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { KvCommand, KvEntry } from './apply-entries.js';
import {
  checkKey,
  checkRange,
  checkRangeRead,
  checkRead,
  checkRevision,
  checkTxn,
  checkWatch,
  txnBytes,
} from './check-txn.js';
import type {
  KeyRange,
  KeyValue,
  KvStatus,
  KvStore,
  RangeOptions,
  RangePage,
  ReadOptions,
  Txn,
  TxnResult,
  WatchBatch,
  WatchOptions,
} from './kv.js';
import { KvState } from './kv-state.js';
import { openLevelRowDb } from './level-row-db.js';
import { watchState } from './watch-state.js';

export interface LevelKvOptions {
  /** Directory of the database; made when it is missing. */
  readonly directory: string;
  /** What `status` calls this node. */
  readonly nodeId: string;
  /** Told once, when no more can be written until it is opened anew. */
  readonly onFailed?: ((error: CairnError) => void) | undefined;
}

interface Pending {
  readonly command: KvCommand;
  readonly bytes: number;
  resolve(result: TxnResult | undefined): void;
  reject(error: unknown): void;
}

export class LevelKv implements KvStore {
  readonly #state: KvState;
  readonly #nodeId: string;
  #queue: Pending[] = [];
  #queuedBytes = 0;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(state: KvState, nodeId: string) {
    this.#state = state;
    this.#nodeId = nodeId;
  }

  /** `unavailable` while another process has it open, `corrupt` when it is damaged. */
  static async open({ directory, nodeId, onFailed }: LevelKvOptions): Promise<LevelKv> {
    return new LevelKv(await KvState.open(await openLevelRowDb(directory), onFailed), nodeId);
  }

  async get(key: Uint8Array, options: ReadOptions = {}): Promise<KeyValue | undefined> {
    checkKey(key);
    checkRead(options);
    return this.#state.get(key, options);
  }

  async range(range: KeyRange, options: RangeOptions = {}): Promise<RangePage> {
    checkRangeRead(range, options);
    return this.#state.range(range, options);
  }

  async count(range: KeyRange, options: ReadOptions = {}): Promise<number> {
    checkRange(range);
    checkRead(options);
    return this.#state.count(range, options);
  }

  async txn(txn: Txn): Promise<TxnResult> {
    checkTxn(txn);
    const result = await this.#submit({ kind: 'txn', txn }, txnBytes(txn));
    return result!;
  }

  async *watch(range: KeyRange, options: WatchOptions): AsyncGenerator<WatchBatch, never> {
    checkWatch(range, options);
    return yield* watchState(this.#state, range, options);
  }

  async compact(revision: number): Promise<void> {
    checkRevision(revision);
    await this.#submit({ kind: 'compact', revision }, limits.kvOperationBytes);
  }

  async status(): Promise<KvStatus> {
    this.#state.refuseWhenClosed();
    const { revision, appliedIndex } = this.#state;
    return {
      engine: 'level',
      nodeId: this.#nodeId,
      role: 'leader',
      term: 1,
      leaderId: this.#nodeId,
      commitIndex: appliedIndex,
      appliedIndex,
      revision,
      peers: [],
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
    await this.#state.close();
  }

  async #submit(command: KvCommand, bytes: number): Promise<TxnResult | undefined> {
    if (this.#isClosed) throw new CairnError('unavailable', 'the metadata is closed');
    if (this.#queuedBytes + bytes > limits.kvQueueBytesMax) {
      throw new CairnError('overloaded', `${this.#queuedBytes} bytes wait to be written to the metadata`);
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ command, bytes, resolve, reject });
      this.#queuedBytes += bytes;
      this.#running ??= this.#run().finally(() => {
        this.#running = undefined;
      });
    });
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    // Whoever calls in the same turn still gets into the first batch.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#take();
      const first = this.#state.appliedIndex + 1;
      const entries = batch.map(({ command }, i): KvEntry => ({ index: first + i, command }));
      try {
        const outcomes = await this.#state.apply(entries);
        for (const [i, { resolve, reject }] of batch.entries()) {
          const outcome = outcomes[i];
          if (outcome instanceof CairnError) reject(outcome);
          else resolve(outcome);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
  }

  #take(): Pending[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && count < limits.kvBatchCountMax && bytes < limits.kvBatchBytesMax) {
      bytes += this.#queue[count++]!.bytes;
    }
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, count);
  }
}
