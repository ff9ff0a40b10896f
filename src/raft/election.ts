// Elections. A node asks first whether it would win (pre-vote), so that one that was cut off comes back without a new term;
// and who hears a leader does not vote (that is also what makes the leader's check for a quorum a promise). A candidate
// counts its own vote, and asks for others', only when its vote and its log are durable.

import { membersOf } from './configuration.js';
import { becomeLeader } from './leader.js';
import type { VoteRequest, VoteResponse } from './message.js';
import { type NodeId, nobody } from './node-id.js';
import { quorumVote } from './quorum.js';
import type { CandidateRole, RaftState } from './raft-state.js';

export type CampaignKind = 'pre-vote' | 'vote' | 'transfer';

/** Begins an election, if this node may be elected. */
export function campaign(state: RaftState, kind: CampaignKind): void {
  if (kind === 'pre-vote') state.restartElectionTimer();
  else state.restartVoteTimer();
  // Who leads is not known any more, to one that may not stand either.
  if (state.role.name !== 'leader') state.leader = nobody;
  if (state.role.name === 'leader' || !state.isVoter || state.isDiskStalled || hasUnappliedConfig(state)) return;
  const candidate: CandidateRole = { name: 'candidate', pre: kind === 'pre-vote', votes: new Map() };
  state.role = candidate;
  if (!candidate.pre) state.setTerm(state.term + 1, state.id);
  const term = candidate.pre ? state.term + 1 : state.term;
  const { lastIndex, lastTerm } = state.log;
  const { pre } = candidate;
  const transfer = kind === 'transfer';
  const request = { type: 'vote', term, pre, transfer, lastIndex, lastTerm, ...committed(state) } as const;
  for (const to of membersOf(state.configuration)) {
    if (to === state.id) continue;
    if (pre) state.send({ ...request, to });
    else state.sendWhenDurable({ ...request, to });
  }
  if (pre) countVote(state, candidate, state.id, true);
  else state.sendWhenDurable({ type: 'vote-response', to: state.id, pre, granted: true, ...committed(state) });
}

function committed({ log }: RaftState): { readonly commit: number; readonly commitTerm: number } {
  return { commit: log.commit, commitTerm: log.termAt(log.commit)! };
}

/**
 * What is committed stays so, whoever says it. A node that learns in an election that a change of members is committed puts
 * it in force before it is a candidate again. Without this, the one node that could win might never know that it may
 * stand (etcd #12359).
 */
function learnCommit(state: RaftState, { commit, commitTerm }: VoteRequest | VoteResponse): void {
  // A leader commits by its own count alone.
  if (state.role.name === 'leader') return;
  if (commit <= state.log.commit || !state.log.matches(commit, commitTerm)) return;
  state.log.commitTo(commit);
  if (state.role.name === 'candidate' && hasUnappliedConfig(state)) state.becomeFollower(state.term, nobody);
}

/**
 * A committed change of members takes effect when it is applied; until then this node does not know whose votes count. A
 * snapshot on its way in may bring such a change.
 */
function hasUnappliedConfig({ log }: RaftState): boolean {
  if (log.applied < log.baseIndex) return true;
  for (let index = log.applied + 1; index <= log.commit; index++) {
    if (log.entryAt(index)!.kind === 'config') return true;
  }
  return false;
}

export function tickElection(state: RaftState): void {
  if (++state.electionElapsed >= state.electionTimeout) campaign(state, 'pre-vote');
}

/** Whether this node heard of a leader so recently that it helps nobody else into office. */
export function hasLeaderLease(state: RaftState): boolean {
  return state.leader !== nobody && state.electionElapsed < state.options.electionTicks;
}

/** Answers a request for a vote, of this term or, as a pre-vote, of a later one. Learners vote, too: they may be voters by now. */
export function answerVote(state: RaftState, request: VoteRequest): void {
  const { from, term, pre } = request;
  learnCommit(state, request);
  const isFree = state.vote === from || (state.vote === nobody && state.leader === nobody);
  const mayVote = isFree || (pre && term > state.term);
  const granted = mayVote && state.log.isUpToDate(request.lastIndex, request.lastTerm);
  if (pre) {
    // Nothing is promised. A positive answer repeats the candidate's term, a negative one tells it this node's.
    const answerTerm = granted ? term : state.term;
    state.send({ type: 'vote-response', to: from, term: answerTerm, pre, granted, ...committed(state) });
    return;
  }
  if (granted) {
    state.electionElapsed = 0;
    state.setVote(from);
  }
  state.sendWhenDurable({ type: 'vote-response', to: from, pre, granted, ...committed(state) });
}

/** Tells a candidate of an older term that it is none. */
export function refuseVote(state: RaftState, to: NodeId): void {
  state.send({ type: 'vote-response', to, pre: true, granted: false, ...committed(state) });
}

/** A vote of this candidate's term, or an answer to its question about the next. */
export function takeVote(state: RaftState, response: VoteResponse): void {
  learnCommit(state, response);
  const { role } = state;
  if (role.name !== 'candidate' || role.pre !== response.pre) return;
  countVote(state, role, response.from, response.granted);
}

function countVote(state: RaftState, candidate: CandidateRole, from: NodeId, granted: boolean): void {
  if (!candidate.votes.has(from)) candidate.votes.set(from, granted);
  const result = quorumVote(state.configuration, (id) => candidate.votes.get(id));
  if (result === 'lost') {
    state.becomeFollower(state.term, nobody);
    if (!candidate.pre) state.restartVoteTimer();
  } else if (result === 'won' && candidate.pre) campaign(state, 'vote');
  else if (result === 'won') becomeLeader(state);
}
