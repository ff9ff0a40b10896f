// What a leader may ask of any other node: take entries, say what is committed, replace the log by a snapshot. There is no
// second way in: a heartbeat goes through the same step as everything else.
/** Entries are taken only behind one that both logs share. The answer waits until they are durable. */
export function takeEntries(state, { from, prevIndex, prevTerm, entries, commit }) {
    const { log } = state;
    if (prevIndex < log.commit) {
        accept(state, from, log.commit);
        return;
    }
    if (!log.matches(prevIndex, prevTerm)) {
        const hintIndex = log.lastNotAbove(Math.min(prevIndex, log.lastIndex), prevTerm);
        const hintTerm = log.termAt(hintIndex);
        state.sendWhenDurable({ type: 'append-response', to: from, rejected: true, index: prevIndex, hintIndex, hintTerm });
        return;
    }
    log.merge(entries);
    const last = prevIndex + entries.length;
    // Only what this message has shown to be the leader's; anything behind it may be another's.
    log.commitTo(Math.max(log.commit, Math.min(commit, last)));
    accept(state, from, last);
}
function accept(state, to, index) {
    state.sendWhenDurable({ type: 'append-response', to, rejected: false, index, hintIndex: 0, hintTerm: 0 });
}
/** The leader says no more is committed than what it knows this node to hold. */
export function takeHeartbeat(state, { from, commit, round }) {
    // A node may hold less than it once said only if its disk lost what it had promised.
    state.log.commitTo(Math.max(state.log.commit, commit));
    state.send({ type: 'heartbeat-response', to: from, round, versionMax: state.options.versionMax });
}
/** Whether a snapshot would bring something that this log cannot have by itself. */
export function wantsSnapshot({ log }, { snapshot }) {
    return snapshot.index > log.commit && !log.matches(snapshot.index, snapshot.term);
}
/** The host has fetched the snapshot. Nothing of the log before it stays, unless the log has it all. */
export function takeSnapshot(state, offer) {
    const { from, snapshot } = offer;
    if (wantsSnapshot(state, offer))
        state.restore(snapshot);
    else if (snapshot.index > state.log.commit)
        state.log.commitTo(snapshot.index);
    accept(state, from, state.log.commit);
}
