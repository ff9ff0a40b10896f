// What the world outside knows of a store's blobs, and so what may be found after the machine stopped. Each write and
// delete of a blob is a change with a beginning and, once answered, an end. After a crash a blob is as some change left it
// that no later one has certainly replaced. A change is certain when it was acknowledged and its durability promised; one
// that was refused, or not answered yet, may have happened or not.

import type { Durability } from '../../src/base/blob-store.js';

export type Presence = 'present' | 'absent';
/** 'either': nothing was promised. */
export type Allowed = Presence | 'either';
export type Outcome = 'acknowledged' | 'refused' | 'nothing happened';

interface Change {
  readonly effect: Presence;
  readonly begin: number;
  end: number;
  acknowledged: boolean;
}

export class Ledger {
  readonly #durability: Durability;
  readonly #changes: Change[][];
  #time = 0;
  /** In memory durability: what was acknowledged before is promised. */
  #promised = 0;

  constructor(durability: Durability, presences: readonly Presence[]) {
    this.#durability = durability;
    this.#changes = presences.map((effect) => [{ effect, begin: 0, end: 0, acknowledged: true }]);
  }

  begin(blob: number, effect: Presence): (outcome: Outcome) => void {
    const change: Change = { effect, begin: ++this.#time, end: Number.POSITIVE_INFINITY, acknowledged: false };
    this.#changes[blob]!.push(change);
    return (outcome) => {
      change.end = ++this.#time;
      change.acknowledged = outcome === 'acknowledged';
      const changes = this.#changes[blob]!;
      if (outcome === 'nothing happened') changes.splice(changes.indexOf(change), 1);
    };
  }

  /** Call it when the store begins to make durable what it has; the answer, when it has done so. */
  beginPromise(): () => void {
    const time = ++this.#time;
    return () => {
      this.#promised = Math.max(this.#promised, time);
    };
  }

  /** What each blob may be after a crash now. */
  afterCrash(): Allowed[] {
    const until = this.#durability === 'disk' ? Number.POSITIVE_INFINITY : this.#promised;
    return this.#changes.map((changes) => outcomeOf(changes, until));
  }

  /** What each blob may be in the running store now. */
  whileRunning(): Allowed[] {
    return this.#changes.map((changes) => outcomeOf(changes, Number.POSITIVE_INFINITY));
  }
}

function outcomeOf(changes: readonly Change[], promised: number): Allowed {
  let lastCertainBegin = 0;
  for (const { acknowledged, begin, end } of changes) {
    if (acknowledged && end <= promised) lastCertainBegin = Math.max(lastCertainBegin, begin);
  }
  const effects = new Set(changes.filter(({ end }) => end >= lastCertainBegin).map(({ effect }) => effect));
  return effects.size === 1 ? [...effects][0]! : 'either';
}
