// The state of one node, shared by the files that each know one role, and what every role does: send, follow, note that
// something must be written. What belongs to one role lives in that role's own object and is gone with it: nothing of a
// leader can survive into its next term of office.

import { assert } from '../base/errors.js';
import { applyConfigChange, decodeConfigChange } from './config-change.js';
import { type Configuration, isVoter } from './configuration.js';
import type { Entry, GroupState, HardState } from './entry.js';
import type { Message } from './message.js';
import { type NodeId, nobody } from './node-id.js';
import type { Progress } from './progress.js';
import { RaftLog } from './raft-log.js';
import type { RaftOptions, RaftStart } from './raft-options.js';

export interface FollowerRole {
  readonly name: 'follower';
}

/** `pre`: asks whether it would win, before it disturbs anyone with a new term. */
export interface CandidateRole {
  readonly name: 'candidate';
  readonly pre: boolean;
  readonly votes: Map<NodeId, boolean>;
}

export interface WaitingRead {
  readonly from: NodeId;
  readonly context: number;
}

export interface LeaderRole {
  readonly name: 'leader';
  readonly progress: Map<NodeId, Progress>;
  /** The last entry that may be a change of members, or of the cluster version, and may not have been applied. */
  pendingConfigIndex: number;
  /** Who is to take over, and the ticks since it was asked. */
  transfer: { readonly to: NodeId; ticks: number } | undefined;
  /** Reads that wait for the next round of questions, and those the round under way is for. */
  waitingReads: WaitingRead[];
  round: { readonly number: number; readonly index: number; readonly reads: readonly WaitingRead[] } | undefined;
  roundsBegun: number;
  /** Entries were appended or committed that the others have not been told of. */
  hasNews: boolean;
  /** The newest snapshot there is. */
  snapshot: GroupState | undefined;
}

export type Role = FollowerRole | CandidateRole | LeaderRole;

/** `index` undefined: refused, or nobody is left to answer. */
export interface ReadOutcome {
  readonly context: number;
  readonly index: number | undefined;
}

type Unaddressed<M> = M extends Message ? Omit<M, 'from' | 'term'> & { readonly term?: number } : never;

export class RaftState {
  readonly options: RaftOptions;
  readonly log: RaftLog;
  term: number;
  vote: NodeId;
  leader: NodeId = nobody;
  role: Role = { name: 'follower' };
  /** The group as of the entry applied last. */
  group: GroupState;
  /** Ticks since the leader was heard of; for a leader, since its last check for a quorum. */
  electionElapsed = 0;
  heartbeatElapsed = 0;
  electionTimeout = 0;
  snapshotWanted = false;
  /** A snapshot that has taken the log's place and is not yet written. */
  incoming: GroupState | undefined;
  messages: Message[] = [];
  /** Answers of this node to itself that have become durable; the core steps them. */
  ownAnswers: Message[] = [];
  reads: ReadOutcome[] = [];
  /** Messages that promise what is not durable yet, each with the number of the write it waits for. */
  readonly #withheld: { readonly sequence: number; readonly message: Message }[] = [];
  #hardStateChanged = false;
  #sequence = 0;
  #sequenceWritten = 0;
  /** The tick at which each write under way was handed out. */
  readonly #writing: { readonly sequence: number; readonly tick: number }[] = [];
  #tick = 0;
  /** The group after the batch of entries, or the snapshot, that is being applied. */
  #applying: GroupState | undefined;
  #handedOut: GroupState;

  constructor(options: RaftOptions, start: RaftStart) {
    this.options = options;
    this.log = new RaftLog(start.log);
    this.term = start.hardState.term;
    this.vote = start.hardState.vote;
    this.group = start.group;
    this.#handedOut = start.group;
    this.restartElectionTimer();
  }

  get id(): NodeId {
    return this.options.id;
  }

  get configuration(): Configuration {
    return this.group.configuration;
  }

  get isVoter(): boolean {
    return isVoter(this.configuration, this.id);
  }

  /** A write has been under way for an election timeout: this node can promise nothing. */
  get isDiskStalled(): boolean {
    const oldest = this.#writing[0];
    return oldest !== undefined && this.#tick - oldest.tick >= this.options.electionTicks;
  }

  countTick(): void {
    this.#tick++;
  }

  restartElectionTimer(): void {
    this.electionElapsed = 0;
    // A tick more than others keep faith with a leader that they heard of a moment later.
    this.electionTimeout = this.options.electionTicks + 1 + this.#spread();
  }

  /** For a vote whose outcome is overdue when it has not come soon: split, most often. There is no leader to wait for. */
  restartVoteTimer(): void {
    this.electionElapsed = 0;
    this.electionTimeout = Math.ceil(this.options.electionTicks / 4) + this.#spread();
  }

  /** What keeps nodes from asking at once: far more than a round of votes takes, and no more than need be. */
  #spread(): number {
    return this.options.random(Math.ceil(this.options.electionTicks / 2));
  }

  /** Follows `leader`, or waits for one. A new term forgets the vote. */
  becomeFollower(term: number, leader: NodeId): void {
    assert(term >= this.term, 'a term never goes back');
    this.failReads();
    if (term !== this.term) this.setTerm(term, nobody);
    this.role = { name: 'follower' };
    this.leader = leader;
    this.restartElectionTimer();
  }

  /** Reads of this node's own that the leader's role still held get no answer from it. */
  failReads(): void {
    if (this.role.name !== 'leader') return;
    for (const read of [...(this.role.round?.reads ?? []), ...this.role.waitingReads]) this.answerRead(read, undefined);
  }

  answerRead({ from, context }: WaitingRead, index: number | undefined): void {
    if (from === this.id) this.reads.push({ context, index });
    else this.send({ type: 'read-index-response', to: from, context, index: index ?? 0 });
  }

  setTerm(term: number, vote: NodeId): void {
    this.term = term;
    this.vote = vote;
    this.#hardStateChanged = true;
  }

  setVote(vote: NodeId): void {
    this.vote = vote;
    this.#hardStateChanged = true;
  }

  /** Sends what promises nothing about this node's disk. */
  send(message: Unaddressed<Message>): void {
    this.#release(this.#address(message));
  }

  /** Sends once everything that the node's state consists of now is durable. */
  sendWhenDurable(message: Unaddressed<Message>): void {
    const sequence = this.#mustWrite ? this.#sequence + 1 : this.#sequence;
    if (sequence <= this.#sequenceWritten) this.send(message);
    else this.#withheld.push({ sequence, message: this.#address(message) });
  }

  #address(message: Unaddressed<Message>): Message {
    return { term: this.term, ...message, from: this.id } as Message;
  }

  get #mustWrite(): boolean {
    return this.#hardStateChanged || this.log.hasUnissued;
  }

  /** Hands out what has to be written; undefined when nothing has. */
  issueWrite():
    | {
        readonly sequence: number;
        readonly hardState: HardState;
        readonly entries: readonly Entry[];
        readonly snapshot?: GroupState;
      }
    | undefined {
    if (!this.#mustWrite) return undefined;
    const sequence = ++this.#sequence;
    this.#hardStateChanged = false;
    this.#writing.push({ sequence, tick: this.#tick });
    const { entries, replaces } = this.log.issue(sequence);
    const hardState = { term: this.term, vote: this.vote, commit: this.log.commit };
    if (!replaces) return { sequence, hardState, entries };
    const snapshot = this.incoming!;
    this.incoming = undefined;
    return { sequence, hardState, entries, snapshot };
  }

  /** Everything up to this number is durable: what waited for it may go. */
  written(sequence: number): void {
    assert(
      sequence > this.#sequenceWritten && sequence <= this.#sequence,
      'a write is acknowledged once, after it was handed out',
    );
    this.#sequenceWritten = sequence;
    while (this.#writing.length > 0 && this.#writing[0]!.sequence <= sequence) this.#writing.shift();
    this.log.written(sequence);
    while (this.#withheld.length > 0 && this.#withheld[0]!.sequence <= sequence) {
      this.#release(this.#withheld.shift()!.message);
    }
  }

  #release(message: Message): void {
    (message.to === this.id ? this.ownAnswers : this.messages).push(message);
  }

  /** The log is replaced by a snapshot: nothing before it is known any more. */
  restore(snapshot: GroupState): void {
    this.log.replace(snapshot.index, snapshot.term);
    this.incoming = snapshot;
    this.#handedOut = snapshot;
    this.#applying = snapshot;
  }

  /** Hands out entries to be applied, one batch at a time, and what the group is after them. Undefined when there are none. */
  issueApply(): { readonly entries: readonly Entry[]; readonly after: GroupState } | undefined {
    if (this.#applying !== undefined) return undefined;
    const end = Math.min(this.log.commit, this.log.stable);
    if (this.#handedOut.index >= end) return undefined;
    const entries = this.log.slice(this.#handedOut.index + 1, end, this.options.limits.applyBytesMax);
    for (const entry of entries) this.#handedOut = groupAfter(this.#handedOut, entry);
    this.#applying = this.#handedOut;
    return { entries, after: this.#handedOut };
  }

  /** Everything up to `index`, the end of a batch, has been applied. True when the members or the version have changed with it. */
  applied(index: number): boolean {
    assert(index <= this.#handedOut.index, 'only what was handed out can have been applied');
    if (index <= this.log.applied) return false;
    this.log.applied = index;
    const before = this.group;
    // A batch that was under way when a snapshot came changes nothing more: the snapshot will.
    if (this.#applying?.index !== index) return false;
    this.group = this.#applying;
    this.#applying = undefined;
    const changed = before.configuration !== this.group.configuration;
    // Who was replaced is dispensable only once the others will know of it after a restart: the commit index is written.
    if (changed) this.#hardStateChanged = true;
    return changed || before.clusterVersion !== this.group.clusterVersion;
  }
}

/** What the group is after one more entry. */
export function groupAfter(before: GroupState, { index, term, kind, data }: Entry): GroupState {
  if (kind === 'config') {
    const changed = applyConfigChange(before.configuration, decodeConfigChange(data));
    // Refused changes are not proposed; all the same, every node must make the same of one.
    return { ...before, index, term, configuration: changed.configuration ?? before.configuration };
  }
  if (kind === 'version') return { ...before, index, term, clusterVersion: Math.max(before.clusterVersion, data[0]!) };
  return { ...before, index, term };
}
