// Where pages of a list begin, remembered for as long as no file comes or goes: turning pages then costs a page, and not all
// pages before it. Every change of a file changes the revision of the counts, so what is remembered of one revision is
// used only while nothing has changed.

import { limits } from '../base/limits.js';
import type { RangePlace } from './page.js';

interface Marks {
  /** Of all names with the prefix. */
  total: number | undefined;
  /** Names passed → key of the last of them. */
  readonly keys: Map<number, Uint8Array>;
}

export class ListMarks {
  #revision = -1;
  #marked = 0;
  readonly #marks = new Map<string, Marks>();

  /** Forgets what belongs to another revision than this. */
  turnTo(revision: number): void {
    if (revision !== this.#revision) this.#forget();
    this.#revision = revision;
  }

  total(prefix: string): number | undefined {
    return this.#marks.get(prefix)?.total;
  }

  /** The mark nearest to so many names, and not behind them. */
  nearest(prefix: string, skip: number): RangePlace {
    let nearest: RangePlace = { passed: 0, after: undefined };
    for (const [passed, after] of this.#marks.get(prefix)?.keys ?? []) {
      if (passed <= skip && passed > nearest.passed) nearest = { passed, after };
    }
    return nearest;
  }

  /** For the revision that was turned to before the list was read. */
  remember(revision: number, prefix: string, total: number, passed: number, last: Uint8Array | undefined): void {
    if (revision !== this.#revision) return;
    if (this.#marked >= limits.listMarksCountMax) this.#forget();
    const marks = this.#marks.get(prefix) ?? { total, keys: new Map() };
    marks.total = total;
    this.#marks.set(prefix, marks);
    if (last !== undefined) marks.keys.set(passed, last);
    this.#marked += 1;
  }

  #forget(): void {
    this.#marks.clear();
    this.#marked = 0;
  }
}
