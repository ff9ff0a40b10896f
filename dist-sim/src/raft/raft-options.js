// What a node is told when it is made. Ticks are the only time it knows; the host decides how long one is.
import { limits } from '../base/limits.js';
/** The product's; tests use smaller ones. */
export const raftLimits = {
    proposalBytesMax: limits.raftProposalBytesMax,
    messageBytesMax: limits.raftMessageBytesMax,
    inflightMessagesMax: limits.raftInflightMessagesMax,
    inflightBytesMax: limits.raftInflightBytesMax,
    uncommittedBytesMax: limits.raftUncommittedBytesMax,
    unappliedBytesMax: limits.raftUnappliedBytesMax,
    applyBytesMax: limits.raftApplyBytesMax,
    waitingReadsMax: limits.raftWaitingReadsMax,
};
