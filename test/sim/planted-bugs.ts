// Small, plausible mistakes. The simulator has to find each of them, or it would not find those that we do not know of. A
// mistake is a change of the compiled code (see implementation.ts), or one that operators make.

import type { Mutation } from './implementation.js';

export interface PlantedBug {
  readonly name: string;
  readonly mutations: readonly Mutation[];
  /** A node whose disk is lost comes back with an empty one under the same id. */
  readonly reusesIds?: boolean;
}

const bug = (name: string, file: string, find: string, replace: string): PlantedBug => {
  return { name, mutations: [{ file, find, replace }] };
};

export const plantedBugs: readonly PlantedBug[] = [
  bug(
    'a vote is not written',
    'raft-state.js',
    'this.vote = vote;\n        this.#hardStateChanged = true;\n    }\n    /** Sends what promises',
    'this.vote = vote;\n    }\n    /** Sends what promises',
  ),
  bug(
    'a term is not written',
    'raft-state.js',
    'this.term = term;\n        this.vote = vote;\n        this.#hardStateChanged = true;',
    'this.term = term;\n        this.vote = vote;',
  ),
  bug(
    'a vote is sent before it is durable',
    'election.js',
    "state.sendWhenDurable({ type: 'vote-response', to: from, pre, granted,",
    "state.send({ type: 'vote-response', to: from, pre, granted,",
  ),
  bug(
    'a candidate asks for votes before its own is durable',
    'election.js',
    'state.sendWhenDurable({ ...request, to })',
    'state.send({ ...request, to })',
  ),
  bug(
    'entries are acknowledged before they are durable',
    'follower.js',
    "state.sendWhenDurable({ type: 'append-response', to, rejected: false",
    "state.send({ type: 'append-response', to, rejected: false",
  ),
  bug(
    'a leader counts what its own disk has not acknowledged',
    'leader.js',
    'own?.accepted(state.log.stable)',
    'own?.accepted(state.log.lastIndex)',
  ),
  bug(
    'a leader whose disk hangs stays',
    'raft-state.js',
    'return oldest !== undefined && ',
    'return oldest === null && ',
  ),
  bug(
    'an acknowledgement covers what was replaced meanwhile',
    'raft-log.js',
    'stable = Math.min(stable, first - 1);',
    'stable = Math.min(stable, this.#issued);',
  ),
  bug('reads ask no quorum', 'read-index.js', '< round.number)\n        return;', '< 0)\n        return;'),
  bug(
    'reads do not wait for the first commit of the term',
    'read-index.js',
    'if (state.log.termAt(state.log.commit) !== state.term)\n        return;',
    '',
  ),
  bug(
    'reads do not wait to be applied',
    'reads.js',
    'applied(index) {',
    'applied(index) {\n        index = Number.POSITIVE_INFINITY;',
  ),
  bug(
    'the answer to an old question is taken for that to the new one',
    'reads.js',
    'question?.context !== context',
    'question === undefined',
  ),
  bug('no entry opens a term', 'leader.js', "appendOwn(state, leader, 'noop', 0, new Uint8Array(0));", ''),
  bug(
    'entries of older terms are committed by counting',
    'replication.js',
    ' || state.log.termAt(index) !== state.term)',
    ')',
  ),
  bug(
    'entries are applied before they are committed',
    'raft-state.js',
    'const end = Math.min(this.log.commit, this.log.stable);',
    'const end = this.log.stable;',
  ),
  bug(
    'entries are taken behind any other',
    'follower.js',
    '!log.matches(prevIndex, prevTerm)',
    'prevIndex > log.lastIndex',
  ),
  bug(
    'an old message cuts the log',
    'raft-log.js',
    'entries.findIndex((entry) => this.termAt(entry.index) !== entry.term);',
    'entries.length - 1;',
  ),
  {
    name: 'a heartbeat commits more than the follower is known to hold',
    mutations: [
      { file: 'read-index.js', find: 'Math.min(match, state.log.commit)', replace: 'state.log.commit' },
      {
        file: 'follower.js',
        find: 'state.log.commitTo(Math.max(state.log.commit, commit));',
        replace: 'state.log.commitTo(Math.max(state.log.commit, Math.min(commit, state.log.lastIndex)));',
      },
    ],
  },
  bug(
    'a snapshot keeps the rest of a conflicting log',
    'raft-log.js',
    'this.#baseIndex = index;\n        this.#baseTerm = term;\n        this.#entries = [];\n        this.#bytesBefore = 0;\n        this.#bytesUpTo = [];',
    'this.#entries = this.#entries.slice(Math.max(0, index - this.#baseIndex));\n        this.#bytesBefore = 0;\n        this.#bytesUpTo = this.#entries.map((_, at) => at);\n        this.#baseIndex = index;\n        this.#baseTerm = term;',
  ),
  bug(
    'a restart keeps a log that conflicts with the applied state',
    'recovery.js',
    'if (term === group.term)',
    'if (term !== undefined)',
  ),
  bug(
    'the log is told of a snapshot that is not installed',
    'raft-driver.js',
    'this.#parts.stateMachine.install(fetched, batch.snapshot, (error) => {',
    '((_fetched, _snapshot, done) => done())(fetched, batch.snapshot, (error) => {',
  ),
  bug(
    'entries are forgotten before what they made is durable',
    'raft-core.js',
    'Math.min(durableIndex, log.applied, log.stable)',
    'Math.min(log.applied, log.stable)',
  ),
  bug(
    'anyone is up to date',
    'raft-log.js',
    'return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);',
    'return lastTerm >= this.lastTerm;',
  ),
  bug(
    'a longer log is taken for a newer one',
    'raft-log.js',
    'return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);',
    'return lastIndex >= this.lastIndex;',
  ),
  bug(
    'a node votes twice in a term',
    'election.js',
    'const isFree = state.vote === from',
    'const isFree = !pre || state.vote === from',
  ),
  bug(
    'messages of older terms are listened to',
    'raft-core.js',
    'if (message.term < state.term) {',
    "if (message.term < state.term && message.type !== 'append-response' && message.type !== 'append') {",
  ),
  bug(
    'a second change of members does not wait for the first',
    'raft-core.js',
    'leader.pendingConfigIndex > this.#state.log.applied || isJoint(this.#state.configuration)',
    'isJoint(this.#state.configuration)',
  ),
  bug(
    'several voters change without a joint configuration',
    'config-change.js',
    "return came + went > 1 ? { refused: 'needs_joint' }",
    "return came + went > 100 ? { refused: 'needs_joint' }",
  ),
  bug(
    'a joint configuration asks the new voters only',
    'quorum.js',
    'Math.min(majorityIndex(configuration.voters, indexOf), majorityIndex(configuration.outgoing, indexOf))',
    'majorityIndex(configuration.voters, indexOf)',
  ),
  bug(
    'half of the voters are a majority',
    'quorum.js',
    'reached[Math.floor(voters.length / 2)]',
    'reached[Math.floor((voters.length - 1) / 2)]',
  ),
  bug(
    'a joint configuration is never left',
    'leader.js',
    'if (!isJoint(state.configuration) || leader.pendingConfigIndex > state.log.applied)',
    'if (true)',
  ),
  bug(
    "another leader's entry is taken for one's own",
    'proposals.js',
    'if (waiting.term === term)',
    'if (waiting.term <= term)',
  ),
  bug(
    'newer entries do not wait for the cluster version',
    'raft-core.js',
    'if (version > group.clusterVersion)',
    'if (version > options.versionMax)',
  ),
  bug(
    'what is compacted on its way is never sent again',
    'replication.js',
    'progress.becomeProbe();\n        sendAppend(state, leader, to, true);\n        return;',
    'return;',
  ),
  { name: 'an id is used again with an empty disk', mutations: [], reusesIds: true },
];
