// `writeMany` for stores that have no better way than one `write` for each blob.
import { CairnError } from './errors.js';
/** Writes all at once. An error that is no `CairnError` comes out, after all have come to an end. */
export async function writeEach(store, blobs, { signal } = {}) {
    const writes = blobs.map(({ digest, bytes }) => store.write(bytes, { expect: digest, signal }));
    const outcomes = await Promise.allSettled(writes);
    return outcomes.map((outcome) => {
        if (outcome.status === 'fulfilled')
            return outcome.value;
        if (outcome.reason instanceof CairnError)
            return outcome.reason;
        throw outcome.reason;
    });
}
