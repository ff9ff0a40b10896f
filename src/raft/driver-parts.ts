// What a Raft driver stands on: a disk for the log, other nodes, a state machine. All calls return at once and answer by
// calling back, in a later turn or before they return; the order of the answers is said at each. An error from a disk or
// from the state machine is final: the driver stops, and only a restart, which reads what is really there, can help.

import type { CairnError } from '../base/errors.js';
import type { GroupState } from './entry.js';
import type { Message, SnapshotOffer } from './message.js';
import type { NodeId } from './node-id.js';
import type { ApplyBatch, LogBase, ProposalRefusal, WriteBatch } from './raft-core.js';
import type { RaftOptions } from './raft-options.js';

export interface RaftStorage {
  /**
   * Makes a batch durable: all of it, or, after a crash, none of it. Batches take effect and are answered in the order of
   * the calls; several may be under way. Entries replace those from their first index on. With a `snapshot`, the log so far
   * is void and begins after it.
   */
  write(batch: WriteBatch, done: (error?: CairnError) => void): void;
  /** Entries up to here will not be asked for again. When the disk forgets them, or whether, is its own affair. */
  forget(base: LogBase): void;
}

export interface RaftTransport<Fetched> {
  /** Sends, or drops when it cannot. Nothing waits for it; what queues up is bounded by whoever implements this. */
  send(message: Message): void;
  /** Fetches the offered snapshot from who offered it, onto this node's disk. */
  fetchSnapshot(offer: SnapshotOffer, done: (error: CairnError | undefined, fetched?: Fetched) => void): void;
  /** A fetched snapshot is not needed. */
  discardSnapshot(fetched: Fetched): void;
}

/** One call of `apply` or `install` at a time; `makeSnapshot` may be called beside them. */
export interface RaftStateMachine<Result, Fetched> {
  /** Everything up to here is in the applied state and survives a crash, with the group's state that belongs to it. */
  readonly durableIndex: number;
  /**
   * Applies the entries of kind `command` in order, and keeps `batch.after` in the same atomic step: a crash may lose the
   * newest batches, never part of one. One result for each entry, of whatever kind. Durability may come later. `known` may be
   * called before, when the results are certain and only not to be seen yet: whoever proposed need not wait for the rest.
   */
  apply(
    batch: ApplyBatch,
    known: (results: readonly Result[]) => void,
    done: (error: CairnError | undefined, results: readonly Result[]) => void,
  ): void;
  /** Makes a snapshot of what is applied now and keeps it for others to fetch until a newer one is made. */
  makeSnapshot(done: (error: CairnError | undefined, group?: GroupState) => void): void;
  /** Takes a fetched snapshot in place of all that was applied: durably, in one atomic step. */
  install(fetched: Fetched, group: GroupState, done: (error?: CairnError) => void): void;
}

export interface RaftDriverParts<Result, Fetched> {
  readonly options: RaftOptions;
  readonly driver: RaftDriverOptions;
  readonly storage: RaftStorage;
  readonly transport: RaftTransport<Fetched>;
  readonly stateMachine: RaftStateMachine<Result, Fetched>;
  /** Calls back once, soon, or at once. What happens until then is dealt with together. */
  readonly soon: (callback: () => void) => void;
  /** The driver has stopped because of this. */
  readonly onFailed: (error: CairnError) => void;
}

export interface RaftDriverOptions {
  /** A proposal or a read that has no answer after so many ticks is given up. */
  readonly requestTicks: number;
  /** A read's question that has no answer after so many ticks is asked again. */
  readonly readRetryTicks: number;
  /** Applied entries that the log keeps for members who lag: so many bytes after a compaction, twice as many before. */
  readonly logKeptBytes: number;
  /** Bytes of entries that the log keeps at most for members who are fetching a snapshot. */
  readonly logPinnedBytesMax: number;
  /** Proposals that wait to be applied, and reads that wait for their turn. */
  readonly requestsMax: number;
}

export type ProposalOutcome<Result> =
  | { readonly kind: 'applied'; readonly index: number; readonly result: Result }
  /** It was never in the log. `leader`: who may take it, or `nobody`. */
  | { readonly kind: 'refused'; readonly reason: ProposalRefusal | 'stopped'; readonly leader: NodeId }
  /** Another leader's entry took its place: it has not been applied and never will be. */
  | { readonly kind: 'superseded' }
  /** It may have been applied, or may be yet. */
  | { readonly kind: 'unknown' };

/** `ready`: the applied state may be read now. `unavailable`: no leader could confirm it in time. */
export type ReadOutcomeKind = 'ready' | 'overloaded' | 'unavailable' | 'stopped';
