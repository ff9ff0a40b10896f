// What nodes say to each other: plain objects, encoded by the host. A message that comes twice, late or out of order is
// harmless; one may be lost. `term` is the sender's, except in a question or a positive answer of a pre-vote, where it is
// the term that the candidate would begin.

import { type Entry, entryBytes, type GroupState } from './entry.js';
import type { NodeId } from './node-id.js';

interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: number;
}

/** Asks for a vote, or, with `pre`, whether it would be given. `transfer`: the leader itself asked for this election. */
export interface VoteRequest extends Envelope {
  readonly type: 'vote';
  readonly pre: boolean;
  readonly transfer: boolean;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** What the sender knows to be committed. A voter that lacks only this knowledge may be the one that can be elected. */
  readonly commit: number;
  readonly commitTerm: number;
}

export interface VoteResponse extends Envelope {
  readonly type: 'vote-response';
  readonly pre: boolean;
  readonly granted: boolean;
  readonly commit: number;
  readonly commitTerm: number;
}

export interface AppendRequest extends Envelope {
  readonly type: 'append';
  readonly prevIndex: number;
  readonly prevTerm: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
}

/**
 * Accepted: everything up to `index` is durable here and the same as the leader's. Rejected: the entry at `index` is not
 * the leader's; at most those up to `hintIndex`, which here is of `hintTerm`, can be.
 */
export interface AppendResponse extends Envelope {
  readonly type: 'append-response';
  readonly rejected: boolean;
  readonly index: number;
  readonly hintIndex: number;
  readonly hintTerm: number;
}

/** `round` numbers the leader's question "am I still the leader?"; the answer repeats it. */
export interface Heartbeat extends Envelope {
  readonly type: 'heartbeat';
  readonly commit: number;
  readonly round: number;
}

export interface HeartbeatResponse extends Envelope {
  readonly type: 'heartbeat-response';
  readonly round: number;
  /** The newest version of entries that the answering node understands. */
  readonly versionMax: number;
}

/** Offers a snapshot: the log no longer reaches back far enough. The receiving host fetches it before it steps this. */
export interface SnapshotOffer extends Envelope {
  readonly type: 'snapshot';
  readonly snapshot: GroupState;
}

/** The leader hands over: begin an election at once. */
export interface TimeoutNow extends Envelope {
  readonly type: 'timeout-now';
}

/** A follower asks up to where it must have applied for a read that begins now. */
export interface ReadIndexRequest extends Envelope {
  readonly type: 'read-index';
  readonly context: number;
}

/** `index` 0: refused, ask again. */
export interface ReadIndexResponse extends Envelope {
  readonly type: 'read-index-response';
  readonly context: number;
  readonly index: number;
}

export type Message =
  | VoteRequest
  | VoteResponse
  | AppendRequest
  | AppendResponse
  | Heartbeat
  | HeartbeatResponse
  | SnapshotOffer
  | TimeoutNow
  | ReadIndexRequest
  | ReadIndexResponse;

/** What a message takes beside its entries, roughly. */
const messageOverheadBytes = 64;

/** How many bytes a message takes, roughly and never much too little: what queues of messages are bounded by. */
export function messageBytes(message: Message): number {
  let bytes = messageOverheadBytes;
  if (message.type === 'append') for (const entry of message.entries) bytes += entryBytes(entry);
  if (message.type === 'snapshot') {
    const { voters, outgoing, learners, learnersNext } = message.snapshot.configuration;
    bytes += 8 * (voters.length + outgoing.length + learners.length + learnersNext.length);
  }
  return bytes;
}
