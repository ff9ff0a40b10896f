// Metadata that a Raft group keeps: every node answers every call. Reads look at this node's own state, once the leader has
// said up to where it must have come; `stale` ones at once. Watches follow this node's state, also across a snapshot that
// takes its place.

import { setMaxListeners } from 'node:events';
import { CairnError } from '../../base/errors.js';
import type { KvCommand } from '../apply-entries.js';
import { checkKey, checkRange, checkRangeRead, checkRead, checkRevision, checkTxn, checkWatch } from '../check-txn.js';
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
} from '../kv.js';
import { watchState } from '../watch-state.js';
import { encodeCommand } from './command-codec.js';
import type { RaftNode } from './raft-node.js';

export class RaftKv implements KvStore {
  readonly #node: RaftNode;
  readonly #closing = new AbortController();

  constructor(node: RaftNode) {
    this.#node = node;
    // Every watch listens for the end of all.
    setMaxListeners(0, this.#closing.signal);
  }

  async get(key: Uint8Array, options: ReadOptions = {}): Promise<KeyValue | undefined> {
    checkKey(key);
    checkRead(options);
    await this.#settle(options);
    return this.#node.state.get(key, options);
  }

  async range(range: KeyRange, options: RangeOptions = {}): Promise<RangePage> {
    checkRangeRead(range, options);
    await this.#settle(options);
    return this.#node.state.range(range, options);
  }

  async count(range: KeyRange, options: ReadOptions = {}): Promise<number> {
    checkRange(range);
    checkRead(options);
    await this.#settle(options);
    return this.#node.state.count(range, options);
  }

  async txn(txn: Txn): Promise<TxnResult> {
    checkTxn(txn);
    const result = await this.#propose({ kind: 'txn', txn });
    return result!;
  }

  async *watch(range: KeyRange, options: WatchOptions): AsyncGenerator<WatchBatch, never> {
    checkWatch(range, options);
    let { from } = options;
    const signal = options.signal ? AbortSignal.any([options.signal, this.#closing.signal]) : this.#closing.signal;
    for (;;) {
      this.#refuseWhenClosed();
      const { state } = this.#node;
      try {
        for await (const batch of watchState(state, range, { from, signal })) {
          yield batch;
          from = batch.revision + 1;
        }
      } catch (error) {
        if (!options.signal?.aborted) this.#refuseWhenClosed();
        // A state that a snapshot took the place of ends its watches; the new one goes on where they were.
        if (state === this.#node.state) throw error;
      }
    }
  }

  async compact(revision: number): Promise<void> {
    checkRevision(revision);
    await this.#propose({ kind: 'compact', revision });
    // What is asked of this node next must know it, too: the past is read here without asking the leader.
    await this.#node.readable();
  }

  async status(): Promise<KvStatus> {
    this.#refuseWhenClosed();
    const { self, group, state } = this.#node;
    const members = new Map(group?.members.map((member) => [member.id, member]));
    const { role, term, leader, commit, applied } = this.#node.status();
    // While the leader cannot be asked, nobody knows how far the others are.
    const progress = await this.#node.progress().catch(() => []);
    return {
      engine: 'raft',
      nodeId: self.name,
      role: group?.configuration.learners.includes(self.id) ? 'learner' : role,
      term,
      leaderId: members.get(leader)?.name,
      commitIndex: commit,
      appliedIndex: applied,
      revision: state.revision,
      peers: progress.map(({ id, nextIndex, matchIndex }) => {
        const { name = `${id}`, address = '' } = members.get(id) ?? {};
        return { nodeId: name, address, nextIndex, matchIndex };
      }),
    };
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#node.close();
  }

  async #settle({ stale, revision }: ReadOptions): Promise<void> {
    this.#refuseWhenClosed();
    // What was there at a revision that this node has come to can no longer change.
    const isPast = revision !== undefined && revision <= this.#node.state.revision;
    if (!stale && !isPast) await this.#node.readable();
  }

  async #propose(command: KvCommand): Promise<TxnResult | undefined> {
    this.#refuseWhenClosed();
    const outcome = await this.#node.propose(encodeCommand(command));
    if (outcome instanceof CairnError) throw outcome;
    return outcome;
  }

  #refuseWhenClosed(): void {
    if (this.#closing.signal.aborted) throw new CairnError('unavailable', 'the metadata is closed');
  }
}
