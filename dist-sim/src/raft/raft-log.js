// The part of the log that has not been compacted, in memory; how large it may grow is bounded by whoever compacts it.
//
//   base ≤ applied ≤ commit ≤ last    stable ≤ issued ≤ last
//
// `issued`: handed out to be written. `stable`: the disk holds the same entries up to here. Entries are handed out to be
// applied only up to what is both committed and stable: what is applied can be found in the log after a crash.
import { assert } from '../base/errors.js';
import { entryBytes } from './entry.js';
export class RaftLog {
    #baseIndex;
    #baseTerm;
    #entries;
    /** Bytes of all entries ever held up to and including the one at the same place. */
    #bytesUpTo = [];
    #bytesBefore = 0;
    #commit;
    #stable;
    #issued;
    #replaced = false;
    #writing = [];
    applied;
    constructor(start) {
        this.#baseIndex = start.baseIndex;
        this.#baseTerm = start.baseTerm;
        this.#entries = [];
        this.#commit = start.commit;
        this.applied = start.applied;
        this.#push(start.entries);
        this.#stable = this.lastIndex;
        this.#issued = this.lastIndex;
        assert(start.baseIndex <= start.applied && start.applied <= start.commit, 'applied lies between base and commit');
        assert(start.commit <= this.lastIndex, 'what is committed is in the log');
    }
    get baseIndex() {
        return this.#baseIndex;
    }
    get baseTerm() {
        return this.#baseTerm;
    }
    get lastIndex() {
        return this.#baseIndex + this.#entries.length;
    }
    get lastTerm() {
        return this.termAt(this.lastIndex);
    }
    get commit() {
        return this.#commit;
    }
    get stable() {
        return this.#stable;
    }
    /** Undefined when the entry is not there, or no longer. */
    termAt(index) {
        if (index === this.#baseIndex)
            return this.#baseTerm;
        return this.#entries[index - this.#baseIndex - 1]?.term;
    }
    entryAt(index) {
        return this.#entries[index - this.#baseIndex - 1];
    }
    /** Bytes of the entries after `from`, up to and including `to`. */
    bytesBetween(from, to) {
        return Math.max(0, this.#bytesTo(to) - this.#bytesTo(from));
    }
    /** The last index at or before `end` with no fewer than so many bytes of entries behind it, up to `end`; or the base. */
    indexBefore(end, bytes) {
        let low = this.#baseIndex;
        let high = Math.max(low, end);
        while (low < high) {
            const middle = Math.ceil((low + high) / 2);
            if (this.bytesBetween(middle, end) >= bytes)
                low = middle;
            else
                high = middle - 1;
        }
        return low;
    }
    #bytesTo(index) {
        const at = Math.min(index, this.lastIndex) - this.#baseIndex - 1;
        return at < 0 ? this.#bytesBefore : this.#bytesUpTo[at];
    }
    /** Entries from `from` up to and including `to`, at least one if there is any, no more than `bytesMax`. */
    slice(from, to, bytesMax) {
        assert(from > this.#baseIndex, 'a slice begins after the base');
        const end = Math.min(to, this.lastIndex);
        const found = [];
        let bytes = 0;
        for (let index = from; index <= end; index++) {
            const entry = this.entryAt(index);
            bytes += entryBytes(entry);
            if (found.length > 0 && bytes > bytesMax)
                break;
            found.push(entry);
        }
        return found;
    }
    matches(index, term) {
        return this.termAt(index) === term;
    }
    /** Whether a log that ends so holds at least what this one does. */
    isUpToDate(lastIndex, lastTerm) {
        return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);
    }
    /** The last index at or before `index` whose term is not above `term`: where a log with such an entry can meet this one. */
    lastNotAbove(index, term) {
        let at = Math.min(index, this.lastIndex);
        while (at > this.#baseIndex && this.termAt(at) > term)
            at--;
        return at;
    }
    /** Appends at the end, as only a leader does. */
    append(entries) {
        assert(entries[0]?.index === this.lastIndex + 1, 'a leader appends at the end');
        this.#push(entries);
    }
    /**
     * Takes over entries that follow a known match. What is there already stays, also what comes after it: the message may be
     * an old one. From the first entry of another term on, the log is the sender's.
     */
    merge(entries) {
        const fresh = entries.findIndex((entry) => this.termAt(entry.index) !== entry.term);
        if (fresh === -1)
            return;
        const first = entries[fresh].index;
        assert(first > this.#commit, 'a committed entry is never replaced');
        const keep = first - this.#baseIndex - 1;
        this.#entries.length = keep;
        this.#bytesUpTo.length = keep;
        this.#stable = Math.min(this.#stable, first - 1);
        this.#issued = Math.min(this.#issued, first - 1);
        this.#push(fresh === 0 ? entries : entries.slice(fresh));
    }
    #push(entries) {
        let bytes = this.#bytesTo(this.lastIndex);
        for (const entry of entries) {
            assert(entry.index === this.lastIndex + 1, 'the log has no gaps');
            bytes += entryBytes(entry);
            this.#entries.push(entry);
            this.#bytesUpTo.push(bytes);
        }
    }
    /** Never goes back. */
    commitTo(index) {
        assert(index <= this.lastIndex, 'what is committed is in the log');
        this.#commit = Math.max(this.#commit, index);
    }
    /** Everything goes; the log begins after a snapshot. */
    replace(index, term) {
        assert(index > this.#commit, 'a snapshot brings something new');
        this.#baseIndex = index;
        this.#baseTerm = term;
        this.#entries = [];
        this.#bytesBefore = 0;
        this.#bytesUpTo = [];
        this.#commit = index;
        this.#stable = 0;
        this.#issued = index;
        this.#replaced = true;
    }
    /** Forgets everything up to `index`. */
    compact(index) {
        assert(index <= this.applied, 'only what was applied may be forgotten');
        if (index <= this.#baseIndex)
            return;
        const count = index - this.#baseIndex;
        this.#baseTerm = this.termAt(index);
        this.#bytesBefore = this.#bytesTo(index);
        this.#entries = this.#entries.slice(count);
        this.#bytesUpTo = this.#bytesUpTo.slice(count);
        this.#baseIndex = index;
    }
    /** Whether something waits to be handed out to be written. */
    get hasUnissued() {
        return this.#replaced || this.#issued < this.lastIndex;
    }
    /** Hands out what is to be written under this number. `replaces`: the log before it is void, base included. */
    issue(sequence) {
        const replaces = this.#replaced;
        const entries = this.#entries.slice(this.#issued - this.#baseIndex);
        const first = replaces ? 0 : this.#issued + 1;
        this.#writing.push({ sequence, first, last: this.lastIndex });
        this.#issued = this.lastIndex;
        this.#replaced = false;
        return { entries, replaces };
    }
    /** Everything handed out up to this number is durable. What a later write replaces does not count. */
    written(sequence) {
        let last = -1;
        while (this.#writing.length > 0 && this.#writing[0].sequence <= sequence)
            last = this.#writing.shift().last;
        if (last === -1 || this.#replaced)
            return;
        // Beyond `issued` the memory has been replaced since, and that has not even been handed out.
        let stable = Math.min(last, this.#issued);
        for (const { first } of this.#writing)
            stable = Math.min(stable, first - 1);
        this.#stable = Math.max(this.#stable, stable);
    }
}
