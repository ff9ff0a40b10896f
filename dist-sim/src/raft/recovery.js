// Where a node begins. What was found on the disk is two things that are not written in one step: the log, and the applied
// state with the group's own state in it. The log may be behind in one case only: the machine stopped when a snapshot had
// been installed and the log had not been told.
import { CairnError } from '../base/errors.js';
import { emptyConfiguration, votersOnly } from './configuration.js';
import { nobody } from './node-id.js';
/** Of a node that was never part of a group; it learns of its group from a snapshot. */
export const joiningGroup = { index: 0, term: 0, configuration: emptyConfiguration, clusterVersion: 0 };
/** Of every one of the nodes that found a group: they must agree on it. It counts as the first entry. */
export function foundingGroup(voters, clusterVersion) {
    return { index: 1, term: 1, configuration: votersOnly(voters), clusterVersion };
}
/** The log of a node that has none. */
export function emptyLog({ index, term }) {
    return { hardState: { term, vote: nobody, commit: index }, base: { index, term }, entries: [] };
}
/**
 * `group` is that of the applied state as the disk has it. `corrupt` when the two cannot belong together: then this node
 * has lost what it promised, and must not take part again under its id.
 */
export function recoverRaft(stored, group) {
    const { hardState, base, entries } = stored;
    const lastIndex = base.index + entries.length;
    if (group.index < base.index)
        throw lost(`the applied state ends at ${group.index}, the log begins after ${base.index}`);
    if (hardState.commit > lastIndex)
        throw lost(`entries up to ${hardState.commit} were committed, the log ends at ${lastIndex}`);
    if (entries.some((entry, at) => entry.index !== base.index + 1 + at))
        throw lost('the log has a gap');
    const term = group.index === base.index ? base.term : entries[group.index - base.index - 1]?.term;
    if (term === group.term) {
        const commit = Math.max(hardState.commit, group.index);
        const log = { baseIndex: base.index, baseTerm: base.term, entries, commit, applied: group.index };
        return { start: { hardState: { ...hardState, commit }, log, group }, replacedBy: undefined };
    }
    if (group.index <= hardState.commit)
        throw lost(`the log and the applied state differ at ${group.index}`);
    const log = { baseIndex: group.index, baseTerm: group.term, entries: [], commit: group.index, applied: group.index };
    // A vote of a newer term would be in the hard state.
    const { term: newTerm, vote } = group.term > hardState.term ? { term: group.term, vote: nobody } : hardState;
    return { start: { hardState: { term: newTerm, vote, commit: group.index }, log, group }, replacedBy: group };
}
function lost(what) {
    return new CairnError('corrupt', `this node's disk has lost part of what it held: ${what}`);
}
