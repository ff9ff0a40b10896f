// A clock that stands still until a test moves it.

import type { Clock } from '../../src/base/clock.js';

export class ManualClock implements Clock {
  #now = 1_700_000_000_000;
  readonly #alarms = new Set<{ readonly at: number; readonly callback: () => void }>();

  now = () => this.#now;
  monotonic = () => this.#now;

  after(milliseconds: number, callback: () => void): () => void {
    const alarm = { at: this.#now + milliseconds, callback };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  /** Alarms that are set. */
  get waiting(): number {
    return this.#alarms.size;
  }

  /** Rings, in order, what is due by then. */
  advance(milliseconds: number): void {
    this.#now += milliseconds;
    const due = [...this.#alarms].filter(({ at }) => at <= this.#now).sort((a, b) => a.at - b.at);
    for (const alarm of due) if (this.#alarms.delete(alarm)) alarm.callback();
  }
}
