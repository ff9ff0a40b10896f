// What a node is told when it is made. Ticks are the only time it knows; the host decides how long one is.

import { limits } from '../base/limits.js';
import type { GroupState, HardState } from './entry.js';
import type { NodeId } from './node-id.js';
import type { LogStart } from './raft-log.js';

export interface RaftOptions {
  readonly id: NodeId;
  /** Silence of the leader after which an election begins; each node adds up to half as many by chance. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** The newest version of entries that this program understands. */
  readonly versionMax: number;
  /** A whole number from 0 to `end` − 1. The only chance there is. */
  readonly random: (end: number) => number;
  readonly limits: RaftLimits;
}

export interface RaftLimits {
  /** Largest data of one proposal. */
  readonly proposalBytesMax: number;
  /** Bytes of entries in one message; a single larger entry still travels. */
  readonly messageBytesMax: number;
  /** Messages, and bytes of entries, on their way to one member. */
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
  /** Bytes of entries that are not committed yet, and not applied yet, at which a leader takes no more proposals. */
  readonly uncommittedBytesMax: number;
  readonly unappliedBytesMax: number;
  /** Bytes of entries handed out at once to be applied, and to be written. */
  readonly applyBytesMax: number;
  /** Reads that wait for the leader to be confirmed. */
  readonly waitingReadsMax: number;
}

/** The product's; tests use smaller ones. */
export const raftLimits: RaftLimits = {
  proposalBytesMax: limits.raftProposalBytesMax,
  messageBytesMax: limits.raftMessageBytesMax,
  inflightMessagesMax: limits.raftInflightMessagesMax,
  inflightBytesMax: limits.raftInflightBytesMax,
  uncommittedBytesMax: limits.raftUncommittedBytesMax,
  unappliedBytesMax: limits.raftUnappliedBytesMax,
  applyBytesMax: limits.raftApplyBytesMax,
  waitingReadsMax: limits.raftWaitingReadsMax,
};

/** Where a node begins: what `recoverRaft` made of what was found on the disk. */
export interface RaftStart {
  readonly hardState: HardState;
  readonly log: LogStart;
  /** Of the entry applied last. */
  readonly group: GroupState;
}
