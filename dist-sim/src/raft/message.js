// What nodes say to each other: plain objects, encoded by the host. A message that comes twice, late or out of order is
// harmless; one may be lost. `term` is the sender's, except in a question or a positive answer of a pre-vote, where it is
// the term that the candidate would begin.
import { entryBytes } from './entry.js';
/** What a message takes beside its entries, roughly. */
const messageOverheadBytes = 64;
/** How many bytes a message takes, roughly and never much too little: what queues of messages are bounded by. */
export function messageBytes(message) {
    let bytes = messageOverheadBytes;
    if (message.type === 'append')
        for (const entry of message.entries)
            bytes += entryBytes(entry);
    if (message.type === 'snapshot') {
        const { voters, outgoing, learners, learnersNext } = message.snapshot.configuration;
        bytes += 8 * (voters.length + outgoing.length + learners.length + learnersNext.length);
    }
    return bytes;
}
