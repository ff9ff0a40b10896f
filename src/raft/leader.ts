// The leader: takes office, brings its log to the others, checks that a quorum still hears it, hands over. It steps down
// when no quorum has answered for an election timeout, or when its own disk has not (a leader whose heart beats and whose
// disk hangs would hold up everyone).

import { encodeConfigChange } from './config-change.js';
import { isJoint, isVoter } from './configuration.js';
import type { AppendResponse, HeartbeatResponse, Message } from './message.js';
import { type NodeId, nobody } from './node-id.js';
import { followConfiguration } from './progress.js';
import { quorumVote } from './quorum.js';
import type { LeaderRole, RaftState } from './raft-state.js';
import { beginRound, finishRound, requestRead, sendHeartbeats } from './read-index.js';
import {
  advanceCommit,
  appendOwn,
  sendAppend,
  sendAppends,
  sendNews,
  sendQuestion,
  tickSnapshots,
} from './replication.js';

/** Takes office: an entry of the new term comes first, so that what was before it can be committed. */
export function becomeLeader(state: RaftState): void {
  const leader: LeaderRole = {
    name: 'leader',
    progress: new Map(),
    // Any entry that is not applied yet may be a change of members or version.
    pendingConfigIndex: state.log.lastIndex,
    transfer: undefined,
    waitingReads: [],
    round: undefined,
    roundsBegun: 0,
    hasNews: false,
    snapshot: undefined,
  };
  followConfiguration(leader.progress, state.configuration, state.log.lastIndex);
  for (const [id, progress] of leader.progress) {
    progress.next = state.log.lastIndex + 1;
    progress.recentlyActive = true;
    if (id === state.id) progress.versionMax = state.options.versionMax;
  }
  state.role = leader;
  state.leader = state.id;
  state.electionElapsed = 0;
  state.heartbeatElapsed = 0;
  appendOwn(state, leader, 'noop', 0, new Uint8Array(0));
}

export function tickLeader(state: RaftState, leader: LeaderRole): void {
  const { electionTicks, heartbeatTicks } = state.options;
  if (state.isDiskStalled) {
    state.becomeFollower(state.term, nobody);
    return;
  }
  if (++state.electionElapsed >= electionTicks) {
    state.electionElapsed = 0;
    if (!hearsQuorum(state, leader)) {
      state.becomeFollower(state.term, nobody);
      return;
    }
  }
  if (leader.transfer !== undefined && ++leader.transfer.ticks >= electionTicks) leader.transfer = undefined;
  tickSnapshots(state, leader);
  if (++state.heartbeatElapsed >= heartbeatTicks) {
    state.heartbeatElapsed = 0;
    sendHeartbeats(state, leader);
  }
}

/** Whether a quorum has answered since this was asked last. */
function hearsQuorum(state: RaftState, leader: LeaderRole): boolean {
  const heard = quorumVote(
    state.configuration,
    (id) => id === state.id || leader.progress.get(id)?.recentlyActive === true,
  );
  for (const progress of leader.progress.values()) progress.recentlyActive = false;
  return heard === 'won';
}

/** A message of this term. */
export function stepLeader(state: RaftState, leader: LeaderRole, message: Message): void {
  if (message.type === 'read-index') {
    requestRead(state, leader, message.from, message.context);
    return;
  }
  const progress = leader.progress.get(message.from);
  if (progress === undefined) return;
  if (message.type === 'append-response') {
    progress.heard();
    if (message.rejected) appendRejected(state, leader, message);
    else appendAccepted(state, leader, message.from, message.index);
  } else if (message.type === 'heartbeat-response') {
    progress.heard();
    heartbeatAnswered(state, leader, message);
  }
}

function appendRejected(
  state: RaftState,
  leader: LeaderRole,
  { from, index, hintIndex, hintTerm }: AppendResponse,
): void {
  // Both logs can agree at most where this one's terms are not above the other's.
  const hint = hintTerm > 0 ? state.log.lastNotAbove(hintIndex, hintTerm) : hintIndex;
  if (leader.progress.get(from)!.rejected(index, hint)) sendAppend(state, leader, from, true);
}

function appendAccepted(state: RaftState, leader: LeaderRole, from: NodeId, index: number): void {
  const progress = leader.progress.get(from)!;
  const wasPaused = progress.isPaused(state.options.limits);
  const isNews = progress.accepted(index);
  if (progress.state === 'probe') {
    progress.becomeReplicate();
  } else if (progress.state === 'snapshot') {
    // What follows must still be in the log; if not, the next message is another snapshot.
    if (progress.match + 1 <= state.log.baseIndex) return;
    progress.becomeReplicate();
  } else if (!isNews) {
    return;
  }
  if (advanceCommit(state, leader)) beginRound(state, leader);
  // It may have missed the news of what is committed.
  else if (wasPaused) sendAppend(state, leader, from, true);
  sendAppends(state, leader, from);
  handOver(state, leader, from);
}

function heartbeatAnswered(state: RaftState, leader: LeaderRole, { from, round, versionMax }: HeartbeatResponse): void {
  const progress = leader.progress.get(from)!;
  progress.versionMax = versionMax;
  progress.round = Math.max(progress.round, round);
  // A probe or its answer may be lost, and so may anything on its way: ask again where the logs meet.
  progress.probeSent = false;
  if (progress.match < state.log.lastIndex) {
    const isFull = progress.state === 'replicate' && progress.isPaused(state.options.limits);
    if (isFull) sendQuestion(state, leader, from);
    else sendAppend(state, leader, from, true);
  }
  finishRound(state, leader);
}

/** The disk has acknowledged: this node's own part of the quorum. */
export function ownEntriesDurable(state: RaftState, leader: LeaderRole): void {
  const own = leader.progress.get(state.id);
  if (own?.accepted(state.log.stable) && advanceCommit(state, leader)) beginRound(state, leader);
}

/** Asks a voter to take over as soon as it has the whole log. False when that makes no sense. */
export function transferLeadership(state: RaftState, leader: LeaderRole, to: NodeId): boolean {
  if (to === state.id || !isVoter(state.configuration, to) || leader.transfer !== undefined) return false;
  leader.transfer = { to, ticks: 0 };
  handOver(state, leader, to);
  if (leader.progress.get(to)!.match < state.log.lastIndex) sendAppend(state, leader, to, true);
  return true;
}

function handOver(state: RaftState, leader: LeaderRole, to: NodeId): void {
  if (leader.transfer?.to !== to || leader.progress.get(to)!.match < state.log.lastIndex) return;
  state.send({ type: 'timeout-now', to });
}

/** The members or the cluster version have changed; in a joint configuration, or just applied what another began. */
export function configurationApplied(state: RaftState, leader: LeaderRole): void {
  followConfiguration(leader.progress, state.configuration, state.log.lastIndex);
  if (leader.transfer !== undefined && !isVoter(state.configuration, leader.transfer.to)) leader.transfer = undefined;
  if (!state.isVoter) {
    // Removed, by a change that a quorum without this node has committed: let the others know it, and go.
    leader.hasNews = true;
    sendNews(state, leader);
    state.becomeFollower(state.term, nobody);
    return;
  }
  // A smaller quorum may have been reached already.
  if (advanceCommit(state, leader)) beginRound(state, leader);
  finishRound(state, leader);
  leader.hasNews = true;
}

/** Ends a joint configuration as soon as it is in force. Called whenever something was applied. */
export function leaveJointWhenApplied(state: RaftState, leader: LeaderRole): void {
  if (!isJoint(state.configuration) || leader.pendingConfigIndex > state.log.applied) return;
  const entry = appendOwn(state, leader, 'config', 0, encodeConfigChange({ changes: [], context: '' }));
  leader.pendingConfigIndex = entry.index;
}
