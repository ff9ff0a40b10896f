// The proposals of this node that are in its log and not applied yet, each with who waits for it.

import type { ProposalOutcome } from './driver-parts.js';
import type { Entry } from './entry.js';

interface Waiting<Result> {
  readonly term: number;
  readonly until: number;
  readonly done: (outcome: ProposalOutcome<Result>) => void;
}

export class Proposals<Result> {
  /** By index. A newer proposal at the same index shows that the older one was replaced in the log. */
  readonly #waiting = new Map<number, Waiting<Result>>();

  get size(): number {
    return this.#waiting.size;
  }

  /** The log took a proposal at this index; at tick `until` its outcome is unknown. */
  add(index: number, term: number, until: number, done: (outcome: ProposalOutcome<Result>) => void): void {
    this.#waiting.get(index)?.done({ kind: 'superseded' });
    this.#waiting.set(index, { term, until, done });
  }

  /** These entries have been applied, with these results. */
  applied(entries: readonly Entry[], results: readonly Result[]): void {
    entries.forEach(({ index, term }, at) => {
      const waiting = this.#waiting.get(index);
      if (waiting === undefined) return;
      this.#waiting.delete(index);
      waiting.done(waiting.term === term ? { kind: 'applied', index, result: results[at]! } : { kind: 'superseded' });
    });
  }

  /** A snapshot has taken the place of everything up to `index`: what became of it cannot be told. */
  skipped(index: number): void {
    this.#giveUp((at) => at <= index);
  }

  tick(now: number): void {
    this.#giveUp((_, { until }) => until <= now);
  }

  stop(): void {
    this.#giveUp(() => true);
  }

  #giveUp(which: (index: number, waiting: Waiting<Result>) => boolean): void {
    for (const [index, waiting] of this.#waiting) {
      if (!which(index, waiting)) continue;
      this.#waiting.delete(index);
      waiting.done({ kind: 'unknown' });
    }
  }
}
