// The limits of a Raft node and its group: a part of `limits`, where everybody finds them.

const kib = 1024;
const mib = 1024 * kib;

export const raftLimits = {
  /** Data of one Raft proposal: the largest transaction on metadata, and its envelope. */
  raftProposalBytesMax: 2 * mib,
  /** Bytes of entries in one message between Raft nodes. */
  raftMessageBytesMax: mib,
  /** Messages, and bytes of entries, on their way to one Raft node. */
  raftInflightMessagesMax: 64,
  raftInflightBytesMax: 16 * mib,
  /** Bytes of entries that are not committed, and not applied, at which a leader takes no more proposals. */
  raftUncommittedBytesMax: 64 * mib,
  raftUnappliedBytesMax: 128 * mib,
  /** Bytes of entries applied in one batch. */
  raftApplyBytesMax: 4 * mib,
  /** Reads that wait for a Raft leader to be confirmed; proposals and reads that wait on one node. */
  raftWaitingReadsMax: 4096,
  raftRequestsMax: 16_384,
  /** Rows of a snapshot that are read at once, and bytes that are written at once when one is loaded. */
  snapshotRowsReadCountMax: 256,
  snapshotBatchBytesMax: mib,
  /** Longest key or value in a snapshot: room for the largest transaction. */
  snapshotRowBytesMax: 4 * mib,
  /** Bytes of messages that wait to be sent to one node of a group; more are dropped. */
  raftPeerQueueBytesMax: 32 * mib,
  /** Pause before a broken connection to a node is made anew; silence after which it is taken for broken. */
  raftReconnectMilliseconds: 100,
  raftSilenceMilliseconds: 3000,
  /** Bytes of one part of a snapshot on its way. */
  raftSnapshotPartBytes: 256 * kib,
  /** One tick of a node's clock; ticks of silence after which an election begins, at least; ticks between heartbeats. */
  raftTickMilliseconds: 50,
  raftElectionTicks: 20,
  raftHeartbeatTicks: 2,
  /** Ticks after which a proposal or a read without an answer is given up, and a read's question is asked again. */
  raftRequestTicks: 200,
  raftReadRetryTicks: 10,
  /** Time that a call to the leader may take, with all attempts; the pause between two of them. */
  raftCallMillisecondsMax: 10_000,
  raftRetryMilliseconds: 20,
  /** Pause between attempts to found or to join a group; time that a node has to say hello. */
  raftJoinMilliseconds: 200,
  raftHelloMillisecondsMax: 1000,
  /** Entries by which a node may lag when it begins to vote. */
  raftVoterLagMax: 1000,
  /** Largest message between nodes: the largest entry, and what else may come with it. */
  raftPeerMessageBytesMax: 8 * mib,
  /** Size of a segment of the Raft log: what has been forgotten is freed in such pieces. */
  raftSegmentBytesTarget: 8 * mib,
  /** Bytes of applied entries that the Raft log keeps after a compaction, and at most while snapshots are fetched. */
  raftLogKeptBytes: 16 * mib,
  raftLogPinnedBytesMax: 256 * mib,
} as const;
