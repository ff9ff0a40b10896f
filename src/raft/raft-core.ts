// One node of a Raft group: a function of what it is told, without time, disk, network or chance of its own. The host calls
// `tick` at a steady pace, `step` for every message, `propose`, `readIndex` and the like for its clients, and after any of
// these `ready` for what is to be done: messages to send, one batch to write, entries to apply, answers to reads. It reports
// back with `written` and `applied`. Nothing leaves through `ready` that promises what the disk has not acknowledged.
//
// The roles are in files of their own: follower.ts, election.ts, leader.ts with replication.ts and read-index.ts.

import { assert } from '../base/errors.js';
import { applyConfigChange, type ConfigChange, encodeConfigChange } from './config-change.js';
import { isJoint } from './configuration.js';
import { answerVote, campaign, hasLeaderLease, refuseVote, takeVote, tickElection } from './election.js';
import type { Entry, EntryKind, GroupState, HardState } from './entry.js';
import { takeEntries, takeHeartbeat, takeSnapshot, wantsSnapshot } from './follower.js';
import {
  configurationApplied,
  leaveJointWhenApplied,
  ownEntriesDurable,
  stepLeader,
  tickLeader,
  transferLeadership,
} from './leader.js';
import type { Message, SnapshotOffer } from './message.js';
import { type NodeId, nobody } from './node-id.js';
import type { ProgressState } from './progress.js';
import type { RaftOptions, RaftStart } from './raft-options.js';
import { type LeaderRole, RaftState, type ReadOutcome } from './raft-state.js';
import { requestRead } from './read-index.js';
import { appendOwn, sendAppend, sendNews } from './replication.js';

/** One write. Atomic: after a crash all of it is there, or none. Writes take effect in the order they were handed out. */
export interface WriteBatch {
  readonly sequence: number;
  readonly hardState: HardState;
  /** Replaces all entries from the first one's index on. */
  readonly entries: readonly Entry[];
  /** The log so far is void; it begins after this snapshot, which must be installed before the batch is written. */
  readonly snapshot?: GroupState;
}

/** The entry before the first that the log holds. */
export interface LogBase {
  readonly index: number;
  readonly term: number;
}

/** Committed entries, and what the group is after them: to be kept with the applied state, in the same atomic step. */
export interface ApplyBatch {
  readonly entries: readonly Entry[];
  readonly after: GroupState;
}

export interface Ready {
  /** May be sent now. */
  readonly messages: readonly Message[];
  readonly write: WriteBatch | undefined;
  readonly apply: ApplyBatch | undefined;
  readonly reads: readonly ReadOutcome[];
  /** A member needs a snapshot, and there is none that will do: make one, and report it with `snapshotMade`. */
  readonly snapshotWanted: boolean;
}

export type ProposalRefusal =
  | 'not_leader'
  | 'transferring'
  | 'too_large'
  | 'overloaded'
  /** The cluster version does not allow this kind of entry yet; or not every member, or newcomer, understands it. */
  | 'version'
  /** A change of members or version is under way, or this one cannot be made. */
  | 'config_pending'
  | 'config_invalid';

export type Proposed =
  | { readonly refused?: undefined; readonly index: number; readonly term: number }
  | { readonly refused: ProposalRefusal };

export interface PeerStatus {
  readonly id: NodeId;
  readonly state: ProgressState;
  readonly match: number;
  readonly next: number;
  readonly isActive: boolean;
}

export interface RaftStatus {
  readonly id: NodeId;
  readonly role: 'follower' | 'candidate' | 'leader';
  readonly term: number;
  readonly vote: NodeId;
  /** `nobody` when not known. */
  readonly leader: NodeId;
  readonly commit: number;
  readonly applied: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly stableIndex: number;
  readonly group: GroupState;
  readonly isDiskStalled: boolean;
  /** Of a leader: all members but itself. */
  readonly peers: readonly PeerStatus[];
}

export class RaftCore {
  readonly #state: RaftState;

  constructor(options: RaftOptions, start: RaftStart) {
    assert(options.id > nobody, 'a node has an id');
    assert(options.electionTicks > options.heartbeatTicks, 'an election timeout is longer than a heartbeat');
    this.#state = new RaftState(options, start);
  }

  tick(): void {
    const state = this.#state;
    state.countTick();
    if (state.role.name === 'leader') tickLeader(state, state.role);
    else tickElection(state);
  }

  /** One message from another node. A snapshot offer only once the snapshot has been fetched. */
  step(message: Message): void {
    const state = this.#state;
    assert(message.to === state.id, 'a message goes to whom it is addressed');
    if (message.term > state.term && !this.#stepNewerTerm(message)) return;
    if (message.term < state.term) {
      this.#stepOlderTerm(message);
      return;
    }
    this.#stepThisTerm(message);
    this.#stepOwnAnswers();
  }

  /** True when the message is to be dealt with further. */
  #stepNewerTerm(message: Message): boolean {
    const state = this.#state;
    if (message.type === 'vote') {
      if (!message.transfer && hasLeaderLease(state)) return false;
      if (message.pre) {
        answerVote(state, message);
        return false;
      }
    }
    if (message.type === 'vote-response' && message.pre && message.granted) {
      // The answer to this node's own question about the term it would begin.
      if (message.term === state.term + 1) takeVote(state, message);
      this.#stepOwnAnswers();
      return false;
    }
    const isFromLeader = message.type === 'append' || message.type === 'heartbeat' || message.type === 'snapshot';
    state.becomeFollower(message.term, isFromLeader ? message.from : nobody);
    return true;
  }

  /** Who lives in the past is told so: a leader that was cut off, or a candidate that would wait for ever. */
  #stepOlderTerm(message: Message): void {
    const state = this.#state;
    const { from: to } = message;
    if (message.type === 'append' || message.type === 'heartbeat' || message.type === 'snapshot') {
      state.sendWhenDurable({ type: 'append-response', to, rejected: true, index: 0, hintIndex: 0, hintTerm: 0 });
    } else if (message.type === 'vote' && message.pre) {
      refuseVote(state, to);
    }
  }

  #stepThisTerm(message: Message): void {
    const state = this.#state;
    switch (message.type) {
      case 'vote':
        answerVote(state, message);
        break;
      case 'vote-response':
        takeVote(state, message);
        break;
      case 'append':
        this.#follow(message.from);
        takeEntries(state, message);
        break;
      case 'heartbeat':
        this.#follow(message.from);
        takeHeartbeat(state, message);
        break;
      case 'snapshot':
        this.#follow(message.from);
        takeSnapshot(state, message);
        break;
      case 'timeout-now':
        if (state.role.name !== 'leader') campaign(state, 'transfer');
        break;
      case 'read-index-response':
        state.reads.push({ context: message.context, index: message.index === 0 ? undefined : message.index });
        break;
      case 'read-index':
        if (state.role.name !== 'leader') state.answerRead(message, undefined);
        else stepLeader(state, state.role, message);
        break;
      default:
        if (state.role.name === 'leader') stepLeader(state, state.role, message);
    }
  }

  /** A message of this term that only its leader sends. */
  #follow(leader: NodeId): void {
    const state = this.#state;
    assert(state.role.name !== 'leader', `two leaders in term ${state.term}: ${state.id} and ${leader}`);
    if (state.role.name === 'candidate' || state.leader !== leader) state.becomeFollower(state.term, leader);
    else state.electionElapsed = 0;
  }

  #stepOwnAnswers(): void {
    const state = this.#state;
    while (state.ownAnswers.length > 0) {
      const answers = state.ownAnswers;
      state.ownAnswers = [];
      for (const answer of answers) if (answer.term === state.term) this.#stepThisTerm(answer);
    }
  }

  /** Appends a command to the leader's log. It is done when it is applied at this index and of this term. */
  propose(data: Uint8Array, version: number): Proposed {
    return this.#proposeEntry('command', version, data);
  }

  /**
   * One change at a time. Several voters at once go through a joint configuration, which is left by itself. All who come
   * understand entries up to `versionMax`.
   */
  proposeConfigChange(change: ConfigChange, versionMax: number): Proposed {
    const state = this.#state;
    if (state.role.name !== 'leader') return { refused: 'not_leader' };
    if (this.#isChanging(state.role)) return { refused: 'config_pending' };
    if (versionMax < state.group.clusterVersion) return { refused: 'version' };
    if (change.changes.length === 0 || applyConfigChange(state.configuration, change).refused !== undefined) {
      return { refused: 'config_invalid' };
    }
    const proposed = this.#proposeEntry('config', 0, encodeConfigChange(change));
    if (proposed.refused === undefined) state.role.pendingConfigIndex = proposed.index;
    return proposed;
  }

  /** A change of the members or of the cluster version is not applied yet: each must know the outcome of the one before. */
  #isChanging(leader: LeaderRole): boolean {
    return leader.pendingConfigIndex > this.#state.log.applied || isJoint(this.#state.configuration);
  }

  /** Raises the cluster version, once every member has said that it understands it. */
  proposeVersion(version: number): Proposed {
    const state = this.#state;
    if (state.role.name !== 'leader') return { refused: 'not_leader' };
    if (this.#isChanging(state.role)) return { refused: 'config_pending' };
    const understood = Math.min(...[...state.role.progress.values()].map(({ versionMax }) => versionMax));
    if (version > understood || version > 255) return { refused: 'version' };
    const proposed = this.#proposeEntry('version', 0, Uint8Array.of(version));
    if (proposed.refused === undefined) state.role.pendingConfigIndex = proposed.index;
    return proposed;
  }

  #proposeEntry(kind: EntryKind, version: number, data: Uint8Array): Proposed {
    const { role, log, options, group, term } = this.#state;
    const { limits } = options;
    if (role.name !== 'leader') return { refused: 'not_leader' };
    if (role.transfer !== undefined) return { refused: 'transferring' };
    if (data.length > limits.proposalBytesMax) return { refused: 'too_large' };
    if (version > group.clusterVersion) return { refused: 'version' };
    const uncommitted = log.bytesBetween(log.commit, log.lastIndex);
    const unapplied = log.bytesBetween(log.applied, log.lastIndex);
    // A single proposal is always taken: the no-op of the term must not stand in its way.
    const bytes = uncommitted > 0 || unapplied > 0 ? data.length : 0;
    if (uncommitted + bytes > limits.uncommittedBytesMax || unapplied + bytes > limits.unappliedBytesMax) {
      return { refused: 'overloaded' };
    }
    const entry = appendOwn(this.#state, role, kind, version, data);
    return { index: entry.index, term };
  }

  /**
   * Asks up to where a read that begins now must see the log applied; the answer comes through `ready`, or never, when a
   * message is lost. `context` is never used twice, not after a restart either. False: no leader is known.
   */
  readIndex(context: number): boolean {
    const state = this.#state;
    if (state.role.name === 'leader') requestRead(state, state.role, state.id, context);
    else if (state.leader === nobody) return false;
    else state.send({ type: 'read-index', to: state.leader, context });
    return true;
  }

  /** Hands leadership over, within an election timeout or not at all. False: not a leader, or not to this node. */
  transferLeadership(to: NodeId): boolean {
    return this.#state.role.name === 'leader' && transferLeadership(this.#state, this.#state.role, to);
  }

  /** Whether an offered snapshot is worth fetching. */
  wantsSnapshot(offer: SnapshotOffer): boolean {
    return offer.term >= this.#state.term && wantsSnapshot(this.#state, offer);
  }

  /** The host has a snapshot, which it keeps until there is a newer one and nobody fetches this. */
  snapshotMade(snapshot: GroupState): void {
    const { role } = this.#state;
    if (role.name !== 'leader' || snapshot.index <= (role.snapshot?.index ?? 0)) return;
    role.snapshot = snapshot;
    for (const [to, { state }] of role.progress) {
      if (to !== this.#state.id && state === 'probe') sendAppend(this.#state, role, to, true);
    }
  }

  /**
   * Forgets entries that are durable in the applied state (`durableIndex`), except the newest `keepBytes` of them, and
   * except what members need who are fetching a snapshot: until that is more than `pinnedBytesMax`. Answers the new base,
   * to be told to the disk, which may forget everything up to it; undefined when there was nothing to forget.
   */
  compact(durableIndex: number, keepBytes: number, pinnedBytesMax: number): LogBase | undefined {
    const { log, role } = this.#state;
    const before = log.baseIndex;
    let end = Math.min(durableIndex, log.applied, log.stable);
    const isFull = log.bytesBetween(log.baseIndex, end) > pinnedBytesMax;
    if (role.name === 'leader' && !isFull) {
      for (const { state, pendingSnapshot } of role.progress.values()) {
        if (state === 'snapshot') end = Math.min(end, pendingSnapshot);
      }
    }
    log.compact(log.indexBefore(end, keepBytes));
    return log.baseIndex === before ? undefined : { index: log.baseIndex, term: log.baseTerm };
  }

  get leader(): NodeId {
    return this.#state.leader;
  }

  get appliedIndex(): number {
    return this.#state.log.applied;
  }

  /** Bytes of applied entries in memory. */
  get appliedBytes(): number {
    const { log } = this.#state;
    return log.bytesBetween(log.baseIndex, log.applied);
  }

  /** What is to be done since the last call. Undefined: nothing. */
  ready(): Ready | undefined {
    const state = this.#state;
    if (state.role.name === 'leader') sendNews(state, state.role);
    const write = state.issueWrite();
    const apply = state.issueApply();
    const { messages, reads, snapshotWanted } = state;
    if (!write && !apply && messages.length === 0 && reads.length === 0 && !snapshotWanted) return undefined;
    state.messages = [];
    state.reads = [];
    state.snapshotWanted = false;
    return { messages, write, apply, reads, snapshotWanted };
  }

  /** All writes up to this number are durable. */
  written(sequence: number): void {
    const state = this.#state;
    state.written(sequence);
    this.#stepOwnAnswers();
    if (state.role.name === 'leader') ownEntriesDurable(state, state.role);
  }

  /** Everything up to `index`, the end of a batch or of an installed snapshot, is part of the applied state. */
  applied(index: number): void {
    const state = this.#state;
    const changed = state.applied(index);
    if (changed && state.role.name === 'leader') configurationApplied(state, state.role);
    if (state.role.name === 'leader') leaveJointWhenApplied(state, state.role);
  }

  status(): RaftStatus {
    const { id, role, term, vote, leader, log, group, isDiskStalled } = this.#state;
    const peers: PeerStatus[] = [];
    if (role.name === 'leader') {
      for (const [peer, { state, match, next, recentlyActive }] of role.progress) {
        if (peer !== id) peers.push({ id: peer, state, match, next, isActive: recentlyActive });
      }
    }
    return {
      id,
      role: role.name,
      term,
      vote,
      leader,
      commit: log.commit,
      applied: log.applied,
      firstIndex: log.baseIndex + 1,
      lastIndex: log.lastIndex,
      stableIndex: log.stable,
      group,
      isDiskStalled,
      peers,
    };
  }
}
