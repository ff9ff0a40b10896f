// The state of one node, shared by the files that each know one role, and what every role does: send, follow, note that
// something must be written. What belongs to one role lives in that role's own object and is gone with it: nothing of a
// leader can survive into its next term of office.
import { assert } from '../base/errors.js';
import { applyConfigChange, decodeConfigChange } from './config-change.js';
import { isVoter } from './configuration.js';
import { nobody } from './node-id.js';
import { RaftLog } from './raft-log.js';
export class RaftState {
    options;
    log;
    term;
    vote;
    leader = nobody;
    role = { name: 'follower' };
    /** The group as of the entry applied last. */
    group;
    /** Ticks since the leader was heard of; for a leader, since its last check for a quorum. */
    electionElapsed = 0;
    heartbeatElapsed = 0;
    electionTimeout = 0;
    snapshotWanted = false;
    /** A snapshot that has taken the log's place and is not yet written. */
    incoming;
    messages = [];
    /** Answers of this node to itself that have become durable; the core steps them. */
    ownAnswers = [];
    reads = [];
    /** Messages that promise what is not durable yet, each with the number of the write it waits for. */
    #withheld = [];
    #hardStateChanged = false;
    #sequence = 0;
    #sequenceWritten = 0;
    /** The tick at which each write under way was handed out. */
    #writing = [];
    #tick = 0;
    /** The group after the batch of entries, or the snapshot, that is being applied. */
    #applying;
    #handedOut;
    constructor(options, start) {
        this.options = options;
        this.log = new RaftLog(start.log);
        this.term = start.hardState.term;
        this.vote = start.hardState.vote;
        this.group = start.group;
        this.#handedOut = start.group;
        this.restartElectionTimer();
    }
    get id() {
        return this.options.id;
    }
    get configuration() {
        return this.group.configuration;
    }
    get isVoter() {
        return isVoter(this.configuration, this.id);
    }
    /** A write has been under way for an election timeout: this node can promise nothing. */
    get isDiskStalled() {
        const oldest = this.#writing[0];
        return oldest !== undefined && this.#tick - oldest.tick >= this.options.electionTicks;
    }
    countTick() {
        this.#tick++;
    }
    restartElectionTimer() {
        this.electionElapsed = 0;
        this.electionTimeout = this.options.electionTicks + this.options.random(this.options.electionTicks);
    }
    /** Follows `leader`, or waits for one. A new term forgets the vote. */
    becomeFollower(term, leader) {
        assert(term >= this.term, 'a term never goes back');
        this.failReads();
        if (term !== this.term)
            this.setTerm(term, nobody);
        this.role = { name: 'follower' };
        this.leader = leader;
        this.restartElectionTimer();
    }
    /** Reads of this node's own that the leader's role still held get no answer from it. */
    failReads() {
        if (this.role.name !== 'leader')
            return;
        for (const read of [...(this.role.round?.reads ?? []), ...this.role.waitingReads])
            this.answerRead(read, undefined);
    }
    answerRead({ from, context }, index) {
        if (from === this.id)
            this.reads.push({ context, index });
        else
            this.send({ type: 'read-index-response', to: from, context, index: index ?? 0 });
    }
    setTerm(term, vote) {
        this.term = term;
        this.vote = vote;
        this.#hardStateChanged = true;
    }
    setVote(vote) {
        this.vote = vote;
        this.#hardStateChanged = true;
    }
    /** Sends what promises nothing about this node's disk. */
    send(message) {
        this.#release(this.#address(message));
    }
    /** Sends once everything that the node's state consists of now is durable. */
    sendWhenDurable(message) {
        const sequence = this.#mustWrite ? this.#sequence + 1 : this.#sequence;
        if (sequence <= this.#sequenceWritten)
            this.send(message);
        else
            this.#withheld.push({ sequence, message: this.#address(message) });
    }
    #address(message) {
        return { term: this.term, ...message, from: this.id };
    }
    get #mustWrite() {
        return this.#hardStateChanged || this.log.hasUnissued;
    }
    /** Hands out what has to be written; undefined when nothing has. */
    issueWrite() {
        if (!this.#mustWrite)
            return undefined;
        const sequence = ++this.#sequence;
        this.#hardStateChanged = false;
        this.#writing.push({ sequence, tick: this.#tick });
        const { entries, replaces } = this.log.issue(sequence);
        const hardState = { term: this.term, vote: this.vote, commit: this.log.commit };
        if (!replaces)
            return { sequence, hardState, entries };
        const snapshot = this.incoming;
        this.incoming = undefined;
        return { sequence, hardState, entries, snapshot };
    }
    /** Everything up to this number is durable: what waited for it may go. */
    written(sequence) {
        assert(sequence > this.#sequenceWritten && sequence <= this.#sequence, 'a write is acknowledged once, after it was handed out');
        this.#sequenceWritten = sequence;
        while (this.#writing.length > 0 && this.#writing[0].sequence <= sequence)
            this.#writing.shift();
        this.log.written(sequence);
        while (this.#withheld.length > 0 && this.#withheld[0].sequence <= sequence) {
            this.#release(this.#withheld.shift().message);
        }
    }
    #release(message) {
        (message.to === this.id ? this.ownAnswers : this.messages).push(message);
    }
    /** The log is replaced by a snapshot: nothing before it is known any more. */
    restore(snapshot) {
        this.log.replace(snapshot.index, snapshot.term);
        this.incoming = snapshot;
        this.#handedOut = snapshot;
        this.#applying = snapshot;
    }
    /** Hands out entries to be applied, one batch at a time, and what the group is after them. Undefined when there are none. */
    issueApply() {
        if (this.#applying !== undefined)
            return undefined;
        const end = Math.min(this.log.commit, this.log.stable);
        if (this.#handedOut.index >= end)
            return undefined;
        const entries = this.log.slice(this.#handedOut.index + 1, end, this.options.limits.applyBytesMax);
        for (const entry of entries)
            this.#handedOut = groupAfter(this.#handedOut, entry);
        this.#applying = this.#handedOut;
        return { entries, after: this.#handedOut };
    }
    /** Everything up to `index`, the end of a batch, has been applied. True when the members or the version have changed with it. */
    applied(index) {
        assert(index <= this.#handedOut.index, 'only what was handed out can have been applied');
        if (index <= this.log.applied)
            return false;
        this.log.applied = index;
        const before = this.group;
        // A batch that was under way when a snapshot came changes nothing more: the snapshot will.
        if (this.#applying?.index !== index)
            return false;
        this.group = this.#applying;
        this.#applying = undefined;
        const changed = before.configuration !== this.group.configuration;
        // Who was replaced is dispensable only once the others will know of it after a restart: the commit index is written.
        if (changed)
            this.#hardStateChanged = true;
        return changed || before.clusterVersion !== this.group.clusterVersion;
    }
}
/** What the group is after one more entry. */
function groupAfter(before, { index, term, kind, data }) {
    if (kind === 'config') {
        const changed = applyConfigChange(before.configuration, decodeConfigChange(data));
        // Refused changes are not proposed; all the same, every node must make the same of one.
        return { ...before, index, term, configuration: changed.configuration ?? before.configuration };
    }
    if (kind === 'version')
        return { ...before, index, term, clusterVersion: Math.max(before.clusterVersion, data[0]) };
    return { ...before, index, term };
}
