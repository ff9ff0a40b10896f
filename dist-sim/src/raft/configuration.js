// Who belongs to the group. While a change of several voters is under way the configuration is joint: `outgoing` are the
// voters from before, and whatever is decided needs a majority of both. All lists are sorted and free of repetitions; a
// node is in `learnersNext` when it still votes in `outgoing` and becomes a learner when the change is finished.
export const emptyConfiguration = { voters: [], outgoing: [], learners: [], learnersNext: [] };
/** A group of these voters. */
export function votersOnly(voters) {
    return { ...emptyConfiguration, voters: [...new Set(voters)].sort((a, b) => a - b) };
}
export function isJoint(configuration) {
    return configuration.outgoing.length > 0;
}
export function isVoter(configuration, id) {
    return configuration.voters.includes(id) || configuration.outgoing.includes(id);
}
/** Everyone who takes part, each once. */
export function membersOf(configuration) {
    const { voters, outgoing, learners, learnersNext } = configuration;
    return [...new Set([...voters, ...outgoing, ...learners, ...learnersNext])].sort((a, b) => a - b);
}
