// What the log is made of. Indexes and terms are whole numbers that begin at 1; 0 stands for "before the first".
/** What an entry takes beside its data, in memory and on the wire, roughly. */
const entryOverheadBytes = 32;
export function entryBytes(entry) {
    return entry.data.length + entryOverheadBytes;
}
