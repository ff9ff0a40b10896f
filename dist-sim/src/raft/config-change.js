// Changes of the group's configuration. One voter may come or go at a time in a simple change; more than one goes through a
// joint configuration, entered by one entry and left by another. A change is checked when it is proposed and takes effect
// when its entry is applied, so one may be under way at a time (the leader sees to that).
import { CairnError } from '../base/errors.js';
import { isJoint } from './configuration.js';
/** What an applied entry makes of the configuration: joint when it has to be. */
export function applyConfigChange(configuration, change) {
    if (change.changes.length === 0)
        return leaveJoint(configuration);
    const simple = simpleChange(configuration, change.changes);
    return simple.refused === 'needs_joint' ? enterJoint(configuration, change.changes) : simple;
}
/** Changes at most one voter. */
export function simpleChange(configuration, changes) {
    if (isJoint(configuration))
        return { refused: 'already_joint' };
    const draft = draftOf(configuration);
    change(draft, changes);
    if (draft.voters.size === 0)
        return { refused: 'no_voters' };
    const before = new Set(configuration.voters);
    const came = [...draft.voters].filter((id) => !before.has(id)).length;
    const went = [...before].filter((id) => !draft.voters.has(id)).length;
    return came + went > 1 ? { refused: 'needs_joint' } : { configuration: configurationOf(draft) };
}
/** Any change; the voters from before go on voting beside the new ones. */
export function enterJoint(configuration, changes) {
    if (isJoint(configuration))
        return { refused: 'already_joint' };
    if (configuration.voters.length === 0)
        return { refused: 'no_voters_before' };
    const draft = draftOf({ ...configuration, outgoing: configuration.voters });
    change(draft, changes);
    return draft.voters.size === 0 ? { refused: 'no_voters' } : { configuration: configurationOf(draft) };
}
export function leaveJoint(configuration) {
    if (!isJoint(configuration))
        return { refused: 'not_joint' };
    const { learners, learnersNext } = configuration;
    return {
        configuration: {
            ...configuration,
            outgoing: [],
            learners: sorted([...learners, ...learnersNext]),
            learnersNext: [],
        },
    };
}
function draftOf({ voters, outgoing, learners, learnersNext }) {
    return {
        voters: new Set(voters),
        outgoing: new Set(outgoing),
        learners: new Set(learners),
        learnersNext: new Set(learnersNext),
    };
}
function configurationOf({ voters, outgoing, learners, learnersNext }) {
    return {
        voters: sorted(voters),
        outgoing: sorted(outgoing),
        learners: sorted(learners),
        learnersNext: sorted(learnersNext),
    };
}
function sorted(ids) {
    return [...ids].sort((a, b) => a - b);
}
function change(draft, changes) {
    for (const { type, id } of changes) {
        if (id === 0 || type === 'update')
            continue;
        draft.voters.delete(id);
        draft.learners.delete(id);
        draft.learnersNext.delete(id);
        if (type === 'voter')
            draft.voters.add(id);
        // Who still votes in the other half becomes a learner only with the end of the change.
        else if (type === 'learner')
            (draft.outgoing.has(id) ? draft.learnersNext : draft.learners).add(id);
    }
}
/** An entry's data. JSON, since it is rare and wants to be read in a dump. */
export function encodeConfigChange({ changes, context }) {
    return new TextEncoder().encode(JSON.stringify({ changes: changes.map(({ type, id }) => [type, id]), context }));
}
/** `corrupt` for anything that `encodeConfigChange` did not make. */
export function decodeConfigChange(data) {
    try {
        const decoded = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
        const changes = decoded.changes.map(([type, id]) => {
            if (!['voter', 'learner', 'remove', 'update'].includes(type))
                throw new Error(`unknown change ${type}`);
            if (!Number.isSafeInteger(id) || id < 0)
                throw new Error(`bad node id ${id}`);
            return { type, id };
        });
        if (typeof decoded.context !== 'string')
            throw new Error('bad context');
        return { changes, context: decoded.context };
    }
    catch (cause) {
        throw new CairnError('corrupt', 'not a change of members', { cause });
    }
}
