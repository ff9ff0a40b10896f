// What a leader knows of one member's log, and how much may be on the way to it.
//
//   probe      where the logs meet is not known: one message at a time
//   replicate  messages are sent ahead of their answers, up to a number and a number of bytes
//   snapshot   the member needs entries that are gone: nothing is sent until it has a snapshot
import { membersOf } from './configuration.js';
export class Progress {
    state = 'probe';
    /** The member has everything up to here, durably. Below `next`. */
    match = 0;
    /** The first entry to send next. */
    next;
    /** The snapshot offered. Only of state `snapshot`. */
    pendingSnapshot = 0;
    /** Ticks since the snapshot was offered. */
    snapshotTicks = 0;
    /** Heard of since the last check for a quorum. */
    recentlyActive = false;
    /** The last question "am I still the leader?" that it answered. */
    round = 0;
    /** The newest version of entries it understands; 0 until it said so. */
    versionMax = 0;
    /** A probe is on its way. */
    probeSent = false;
    /** Last index and bytes of each message on its way, in order. Only of state `replicate`. */
    #inflights = [];
    #inflightBytes = 0;
    constructor(next) {
        this.next = next;
    }
    becomeProbe() {
        this.#reset('probe');
    }
    becomeReplicate() {
        this.#reset('replicate');
    }
    becomeSnapshot(index) {
        this.#reset('snapshot');
        this.pendingSnapshot = index;
    }
    #reset(state) {
        this.state = state;
        this.next = this.match + 1;
        this.pendingSnapshot = 0;
        this.snapshotTicks = 0;
        this.probeSent = false;
        this.#inflights.length = 0;
        this.#inflightBytes = 0;
    }
    /** Whether entries have to wait. */
    isPaused(limits) {
        if (this.state === 'probe')
            return this.probeSent;
        if (this.state === 'snapshot')
            return true;
        return this.#inflights.length >= limits.inflightMessagesMax || this.#inflightBytes >= limits.inflightBytesMax;
    }
    /** Entries up to `last` are on their way. */
    sent(last, bytes) {
        if (this.state === 'replicate') {
            this.next = last + 1;
            this.#inflights.push({ last, bytes });
            this.#inflightBytes += bytes;
        }
        else {
            this.probeSent = true;
        }
    }
    /** The member has everything up to `index`. False: that was known. */
    accepted(index) {
        while (this.#inflights.length > 0 && this.#inflights[0].last <= index) {
            this.#inflightBytes -= this.#inflights.shift().bytes;
        }
        if (this.next <= index)
            this.next = index + 1;
        if (index <= this.match)
            return false;
        this.match = index;
        this.probeSent = false;
        return true;
    }
    /** The member lacks the entry at `index`, and shares at most those up to `hint`. False: an answer to an older state. */
    rejected(index, hint) {
        if (this.state === 'snapshot')
            return false;
        if (this.state === 'replicate') {
            if (index <= this.match)
                return false;
            this.becomeProbe();
            return true;
        }
        if (this.next - 1 !== index)
            return false;
        this.next = Math.max(Math.min(index, hint + 1), this.match + 1);
        this.probeSent = false;
        return true;
    }
}
/** Makes the members of a configuration those that progress is kept of. New ones are probed from the log's end on. */
export function followConfiguration(progress, configuration, lastIndex) {
    const members = membersOf(configuration);
    for (const id of progress.keys())
        if (!members.includes(id))
            progress.delete(id);
    for (const id of members)
        if (!progress.has(id))
            progress.set(id, new Progress(Math.max(lastIndex, 1)));
}
