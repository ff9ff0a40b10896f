// The proposals of this node that are not applied yet, each with who waits for it. Only the entry that is applied at its
// index decides what became of one. That it is gone from this node's log does not: another node may still have it, and
// lead, and commit it.

import type { ProposalOutcome } from './driver-parts.js';
import type { Entry } from './entry.js';

interface Waiting<Result> {
  readonly term: number;
  readonly until: number;
  readonly done: (outcome: ProposalOutcome<Result>) => void;
}

export class Proposals<Result> {
  /** By index: several, when this node has led more than once. */
  readonly #waiting = new Map<number, Waiting<Result>[]>();
  size = 0;

  /** The log took a proposal at this index; at tick `until` its outcome is unknown. */
  add(index: number, term: number, until: number, done: (outcome: ProposalOutcome<Result>) => void): void {
    const waiting = { term, until, done };
    this.size++;
    const others = this.#waiting.get(index);
    if (others === undefined) this.#waiting.set(index, [waiting]);
    else others.push(waiting);
  }

  /** These entries will have been applied with these results: who gave commands may be told. */
  known(entries: readonly Entry[], results: readonly Result[]): void {
    entries.forEach((entry, at) => {
      if (entry.kind === 'command') this.#tell(entry, results[at]!);
    });
  }

  /** These entries have been applied, with these results. */
  applied(entries: readonly Entry[], results: readonly Result[]): void {
    entries.forEach((entry, at) => {
      this.#tell(entry, results[at]!);
    });
  }

  #tell({ index, term }: Entry, result: Result): void {
    for (const waiting of this.#take(index)) {
      if (waiting.term === term) waiting.done({ kind: 'applied', index, result });
      else waiting.done({ kind: 'superseded' });
    }
  }

  #take(index: number): readonly Waiting<Result>[] {
    const waiting = this.#waiting.get(index);
    if (waiting === undefined) return [];
    this.#waiting.delete(index);
    this.size -= waiting.length;
    return waiting;
  }

  /** A snapshot has taken the place of everything up to `index`: what became of it cannot be told. */
  skipped(end: number): void {
    for (const index of this.#waiting.keys()) if (index <= end) this.#giveUp(this.#take(index));
  }

  tick(now: number): void {
    for (const [index, waiting] of this.#waiting) {
      if (waiting.every(({ until }) => until > now)) continue;
      this.#take(index);
      for (const { term, until, done } of waiting) if (until > now) this.add(index, term, until, done);
      this.#giveUp(waiting.filter(({ until }) => until <= now));
    }
  }

  stop(): void {
    this.skipped(Number.POSITIVE_INFINITY);
  }

  #giveUp(waiting: readonly Waiting<Result>[]): void {
    for (const { done } of waiting) done({ kind: 'unknown' });
  }
}
