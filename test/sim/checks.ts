// What must hold after every event, whatever happened. A broken rule throws a `Violation`.

import { type Configuration, isJoint } from '../../src/raft/configuration.js';
import type { Entry } from '../../src/raft/entry.js';
import type { Message } from '../../src/raft/message.js';
import { quorumVote } from '../../src/raft/quorum.js';
import type { RaftStatus, WriteBatch } from '../../src/raft/raft-core.js';
import type { LogImage } from './sim-disk.js';
import { fingerprint } from './trace.js';

/** An election timeout. */
const stalledTicksMax = 10;

export class Violation extends Error {
  override readonly name = 'Violation';

  constructor(
    readonly rule: string,
    detail: string,
  ) {
    super(`${rule}: ${detail}`);
  }
}

/** What the checks see of a node. */
export interface Observed {
  readonly id: number;
  readonly written: LogImage;
  readonly durable: LogImage;
  /** The end of the applied state that is durable. After a crash the log begins there at the latest, and so does the term. */
  readonly durableGroup: { readonly index: number; readonly term: number };
  /** What it has written is behind what it knows. */
  readonly isLagging: boolean;
  /** Ticks since the oldest write that is not acknowledged yet. */
  readonly stalledTicks: number;
  /** Its disk is gone for good. */
  readonly isWiped: boolean;
}

interface Seen {
  term: number;
  commit: number;
  /** Committed entries of its log that were compared up to here. */
  checked: number;
  isLeader: boolean;
  /** What it committed as a leader and was not compared yet: up to where, by which configuration's count. */
  counted: { readonly end: number; readonly configuration: Configuration }[];
}

interface Committed {
  readonly term: number;
  readonly print: number;
  /** A term in which it was known to be committed. */
  readonly inTerm: number;
}

interface Known {
  readonly prevTerm: number;
  readonly print: number;
}

export class Checks {
  readonly #nodes: ReadonlyMap<number, Observed>;
  readonly #leaders = new Map<number, number>();
  readonly #votes = new Map<string, number>();
  /** The highest term that a node has made promises in. */
  readonly #promised = new Map<number, number>();
  readonly #seen = new Map<number, Seen>();
  /** Every entry that ever was in a log, by index and term. */
  readonly #entries = new Map<number, Known>();
  /** By index: the term and the content of what was committed, and of what was applied. */
  readonly #committed = new Map<number, Committed>();
  readonly #applied = new Map<number, number>();
  commitIndex = 1;
  leadersElected = 0;

  constructor(nodes: ReadonlyMap<number, Observed>) {
    this.#nodes = nodes;
  }

  /** A batch is about to be written: equal index and term mean equal entries, and equal logs before them. */
  write(node: Observed, { entries, hardState, snapshot }: WriteBatch): void {
    const { written } = node;
    if (hardState.term < written.hardState.term) throw new Violation('terms only grow', `node ${node.id}`);
    const sameTerm = hardState.term === written.hardState.term;
    if (sameTerm && written.hardState.vote !== 0 && hardState.vote !== written.hardState.vote) {
      throw new Violation('one vote a term', `node ${node.id} in term ${hardState.term}`);
    }
    this.#oneChangeAtATime(node, entries, hardState.commit);
    let prevTerm = entries.length === 0 ? 0 : (snapshot?.term ?? written.termAt(entries[0]!.index - 1));
    if (prevTerm === undefined) throw new Violation('no gaps', `node ${node.id} at ${entries[0]!.index}`);
    for (const entry of entries) {
      const key = entry.index * 2 ** 20 + entry.term;
      const known = this.#entries.get(key);
      const print = fingerprint(entry);
      if (known === undefined) this.#entries.set(key, { prevTerm, print });
      else if (known.prevTerm !== prevTerm || known.print !== print) {
        throw new Violation('log matching', `node ${node.id} at ${entry.index}@${entry.term}`);
      }
      if (entry.index <= written.lastIndex && snapshot === undefined) this.#replaced(node, entry);
      prevTerm = entry.term;
    }
  }

  /** A log holds a change of members only with the knowledge, just as durable, that those before it are committed. */
  #oneChangeAtATime({ id, written }: Observed, entries: readonly Entry[], commit: number): void {
    const added = entries.filter(({ kind }) => kind === 'config');
    if (added.length === 0) return;
    const before = written.entries.filter(({ index, kind }) => kind === 'config' && index < entries[0]!.index);
    const earlier = [...before, ...added].at(-2);
    if (earlier !== undefined && earlier.index > commit) {
      throw new Violation('one change of members at a time', `node ${id} at ${added.at(-1)!.index} knows ${commit}`);
    }
  }

  /** What was committed is never replaced in a log that held it, at the word of a leader of that term or a later one. */
  #replaced(node: Observed, entry: Entry): void {
    const committed = this.#committed.get(entry.index);
    if (committed === undefined || committed.term === entry.term) return;
    // An earlier leader's words may come late to a node that was not needed for the commit. The later leader puts that right.
    if (entry.term < committed.inTerm) return;
    if (node.written.termAt(entry.index) === committed.term) {
      throw new Violation('committed entries stay', `node ${node.id} replaces ${entry.index}@${committed.term}`);
    }
  }

  /** The node's state after an event that it took part in. */
  status(node: Observed, status: RaftStatus): void {
    const { id, term, commit, role } = status;
    let seen = this.#seen.get(id);
    if (seen === undefined) {
      seen = { term: 0, commit: 0, checked: 1, isLeader: false, counted: [] };
      this.#seen.set(id, seen);
    }
    if (term < seen.term) throw new Violation('terms only grow', `node ${id} from ${seen.term} to ${term}`);
    if (commit < seen.commit) throw new Violation('commit only grows', `node ${id} from ${seen.commit} to ${commit}`);
    if (role === 'leader' && node.stalledTicks > stalledTicksMax) {
      throw new Violation('leaders write', `node ${id} has written nothing for ${node.stalledTicks} ticks`);
    }
    if (role === 'leader' && (!seen.isLeader || term !== seen.term)) this.#elected(node, term);
    else if (role === 'leader' && commit > seen.commit) this.#committedByCount(node, status);
    if (role === 'leader' && commit > seen.commit) {
      seen.counted.push({ end: commit, configuration: status.group.configuration });
    }
    seen.term = term;
    seen.commit = commit;
    seen.isLeader = role === 'leader';
    // A snapshot that is being installed before the log may be written leaves the two apart, too.
    const isBehind = node.written.base.index !== status.firstIndex - 1 || node.written.lastIndex !== status.lastIndex;
    if (node.isLagging || isBehind) return;
    this.#compareCommitted(node, seen, status);
    this.#stableIsDurable(node, status.stableIndex);
  }

  #elected({ id, written }: Observed, term: number): void {
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== id) throw new Violation('one leader a term', `${other} and ${id} in ${term}`);
    if (other === undefined) this.leadersElected++;
    this.#leaders.set(term, id);
    for (let index = written.base.index; index <= this.commitIndex; index++) {
      const committed = this.#committed.get(index);
      // A candidate of an old term may still win it, and learns soon.
      if (committed === undefined || committed.inTerm >= term || written.termAt(index) === committed.term) continue;
      throw new Violation('leader completeness', `node ${id} leads term ${term} without ${index}@${committed.term}`);
    }
  }

  /** A leader counts only entries of its own term. */
  #committedByCount({ id, written }: Observed, { commit, term }: RaftStatus): void {
    if (commit <= written.lastIndex && written.termAt(commit) !== term) {
      throw new Violation('own entries are counted', `node ${id} commits ${commit} in term ${term}`);
    }
  }

  /** What the core takes for durable is so. */
  #stableIsDurable({ id, written, durable }: Observed, stable: number): void {
    if (stable <= written.base.index || stable <= durable.base.index) return;
    if (durable.termAt(stable) !== written.termAt(stable)) {
      throw new Violation('promises are durable', `node ${id} takes ${stable} for durable`);
    }
  }

  /** A change of members is in force: of two configurations in a row, majorities overlap. */
  configured({ id }: Observed, before: Configuration, after: Configuration): void {
    const same = (a: readonly number[], b: readonly number[]) => a.join() === b.join();
    const moved =
      after.voters.filter((voter) => !before.voters.includes(voter)).length +
      before.voters.filter((voter) => !after.voters.includes(voter)).length;
    const isOrderly = isJoint(before)
      ? !isJoint(after) && same(before.voters, after.voters)
      : isJoint(after)
        ? same(before.voters, after.outgoing)
        : moved <= 1;
    if (!isOrderly) throw new Violation('majorities overlap', `node ${id}: ${JSON.stringify({ before, after })}`);
  }

  #compareCommitted(node: Observed, seen: Seen, { commit, term }: RaftStatus): void {
    const { written, id } = node;
    const end = Math.min(commit, written.lastIndex);
    for (let index = Math.max(seen.checked + 1, written.base.index + 1); index <= end; index++) {
      const entry = written.entryAt(index)!;
      const committed = this.#committed.get(index);
      const print = fingerprint(entry);
      if (committed === undefined) {
        this.#committed.set(index, { term: entry.term, print, inTerm: term });
        const counted = seen.counted.find((each) => each.end >= index);
        if (counted !== undefined) this.#heldByQuorum(index, entry.term, counted.configuration);
      } else if (committed.term !== entry.term || committed.print !== print) {
        throw new Violation('committed entries agree', `node ${id} at ${index}`);
      }
    }
    seen.checked = Math.max(seen.checked, end);
    seen.counted = seen.counted.filter((each) => each.end > seen.checked);
    this.commitIndex = Math.max(this.commitIndex, end);
  }

  /** What a leader commits is on the disks of a quorum. A disk that was lost since counts: it did hold it. */
  #heldByQuorum(index: number, term: number, configuration: Configuration): void {
    const held = quorumVote(configuration, (id) => {
      const node = this.#nodes.get(id);
      if (node === undefined) return false;
      return node.isWiped || node.durableGroup.index >= index || node.durable.termAt(index) === term;
    });
    if (held !== 'won') throw new Violation('committed is durable', `${index}@${term} is not on a quorum of disks`);
  }

  /** A message leaves: what it promises is on the disk. */
  sends({ id, durable, durableGroup }: Observed, message: Message): void {
    const { hardState } = durable;
    const heldIndex = Math.max(durable.peakIndex, durableGroup.index);
    const isVote = (message.type === 'vote' || message.type === 'vote-response') && !message.pre;
    // What an older term's message promised may have been replaced since; it might as well have been sent earlier.
    const isThisTerm = hardState.term === message.term;
    const heldTerm = Math.max(hardState.term, durableGroup.term);
    if (heldTerm < message.term && message.type === 'append-response' && !message.rejected) {
      throw new Violation('promises are durable', `node ${id} accepts entries in term ${message.term}`);
    }
    if (isThisTerm && message.type === 'append-response' && !message.rejected && message.index > heldIndex) {
      throw new Violation('promises are durable', `node ${id} says it has ${message.index}`);
    }
    if (isVote && (message.type === 'vote' || message.granted)) {
      const candidate = message.type === 'vote' ? id : message.to;
      const key = `${id}@${message.term}`;
      const voted = this.#votes.get(key) ?? candidate;
      if (voted !== candidate) throw new Violation('one vote a term', `node ${id} in ${message.term}`);
      this.#votes.set(key, candidate);
      const isKept = hardState.term > message.term || (hardState.term === message.term && hardState.vote === candidate);
      if (!isKept) throw new Violation('promises are durable', `node ${id} votes in term ${message.term}`);
    }
    const isPromise = isVote || message.type === 'append-response';
    if (isPromise) this.#promised.set(id, Math.max(this.#promised.get(id) ?? 0, message.term));
  }

  /** An entry is applied: the same everywhere, and once the cluster version allows it. */
  applies(node: Observed, entry: Entry, clusterVersion: number): void {
    const print = fingerprint(entry);
    const known = this.#applied.get(entry.index);
    if (known !== undefined && known !== print)
      throw new Violation('same commands', `node ${node.id} at ${entry.index}`);
    this.#applied.set(entry.index, print);
    const committed = this.#committed.get(entry.index);
    // What the node has only just learned may not have been compared yet.
    const seen = this.#seen.get(node.id)!;
    if (committed === undefined && entry.index <= seen.commit) {
      this.#committed.set(entry.index, { term: entry.term, print, inTerm: seen.term });
      return;
    }
    if (committed === undefined || committed.term !== entry.term) {
      throw new Violation('applied is committed', `node ${node.id} at ${entry.index}@${entry.term}`);
    }
    if (entry.version > clusterVersion) throw new Violation('versions are gated', `node ${node.id} at ${entry.index}`);
  }

  /** A node begins again with what its disk held. */
  restarts(node: Observed, term: number, commit: number): void {
    const { id } = node;
    const promised = this.#promised.get(id) ?? 0;
    if (term < promised)
      throw new Violation('terms only grow', `node ${id} restarts in ${term}, promised in ${promised}`);
    if (commit > this.commitIndex) throw new Violation('committed entries agree', `node ${id} restarts with ${commit}`);
    this.#seen.set(id, { term, commit, checked: 1, isLeader: false, counted: [] });
  }
}
