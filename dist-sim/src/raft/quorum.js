// The arithmetic of majorities. A joint configuration decides when both of its halves do. An empty half decides
// everything at once, so a configuration that is not joint needs no case of its own.
/** The highest index that a majority has reached; Infinity for nobody at all. `indexOf` gives 0 for "not known". */
export function majorityIndex(voters, indexOf) {
    if (voters.length === 0)
        return Number.POSITIVE_INFINITY;
    const reached = voters.map(indexOf).sort((a, b) => b - a);
    return reached[Math.floor(voters.length / 2)];
}
/** What the votes come to. `voteOf` gives undefined for who has not answered yet. */
export function majorityVote(voters, voteOf) {
    if (voters.length === 0)
        return 'won';
    const needed = Math.floor(voters.length / 2) + 1;
    let granted = 0;
    let refused = 0;
    for (const id of voters) {
        const vote = voteOf(id);
        if (vote === true)
            granted++;
        else if (vote === false)
            refused++;
    }
    if (granted >= needed)
        return 'won';
    return voters.length - refused >= needed ? 'pending' : 'lost';
}
export function quorumIndex(configuration, indexOf) {
    return Math.min(majorityIndex(configuration.voters, indexOf), majorityIndex(configuration.outgoing, indexOf));
}
export function quorumVote(configuration, voteOf) {
    const incoming = majorityVote(configuration.voters, voteOf);
    const outgoing = majorityVote(configuration.outgoing, voteOf);
    if (incoming === outgoing)
        return incoming;
    return incoming === 'lost' || outgoing === 'lost' ? 'lost' : 'pending';
}
