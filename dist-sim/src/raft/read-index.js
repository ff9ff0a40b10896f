// Linearizable reads without writing to the log. A read may be answered from applied state once everything is applied that
// was committed when it began, provided that this node was still the leader then: one round of questions to a quorum shows
// it. All reads that come while a round is under way share the next one. Before a leader has committed an entry of its own
// term it does not know what is committed, so reads wait for that.
import { quorumIndex } from './quorum.js';
/** A read of this leader's own or of a follower's. */
export function requestRead(state, leader, from, context) {
    const read = { from, context };
    const waiting = leader.waitingReads.length + (leader.round?.reads.length ?? 0);
    if (waiting >= state.options.limits.waitingReadsMax) {
        state.answerRead(read, undefined);
        return;
    }
    leader.waitingReads.push(read);
    beginRound(state, leader);
}
/** Begins a round for the reads that wait, if none is under way and the leader knows what is committed. */
export function beginRound(state, leader) {
    if (leader.round !== undefined || leader.waitingReads.length === 0)
        return;
    if (state.log.termAt(state.log.commit) !== state.term)
        return;
    leader.round = { number: ++leader.roundsBegun, index: state.log.commit, reads: leader.waitingReads };
    leader.waitingReads = [];
    leader.progress.get(state.id).round = leader.round.number;
    sendHeartbeats(state, leader);
    finishRound(state, leader);
}
/** Answers the reads of the round under way once a quorum has confirmed it, and begins the next. */
export function finishRound(state, leader) {
    const { round } = leader;
    if (round === undefined)
        return;
    if (quorumIndex(state.configuration, (id) => leader.progress.get(id)?.round ?? 0) < round.number)
        return;
    leader.round = undefined;
    for (const read of round.reads)
        state.answerRead(read, round.index);
    beginRound(state, leader);
}
export function sendHeartbeats(state, leader) {
    for (const [to, { match }] of leader.progress) {
        if (to === state.id)
            continue;
        // No more than what this member is known to hold.
        const commit = Math.min(match, state.log.commit);
        state.send({ type: 'heartbeat', to, commit, round: leader.round?.number ?? 0 });
    }
}
