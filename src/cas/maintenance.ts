// What a store does by itself, one thing at a time: every few seconds it brings the index up to date and, if a segment is
// worth it, compacts one. Failures are reported and tried again the next time; they cost space or time, never a blob.

import type { Clock } from '../base/clock.js';
import type { Catalog } from './catalog.js';
import type { Compactor } from './compactor.js';
import type { StoreReport } from './store-report.js';

export interface MaintenanceParts {
  readonly catalog: Catalog;
  readonly compactor: Compactor;
  readonly clock: Clock;
  readonly intervalMilliseconds: number;
  readonly report: StoreReport;
}

export class Maintenance {
  readonly #parts: MaintenanceParts;
  #cancel: () => void = () => {};
  #round: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(parts: MaintenanceParts) {
    this.#parts = parts;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#cancel = this.#parts.clock.after(this.#parts.intervalMilliseconds, () => {
      this.#round = this.#runRound().finally(() => this.#schedule());
    });
  }

  async #runRound(): Promise<void> {
    const { catalog, compactor, report } = this.#parts;
    try {
      await catalog.flush();
      const segment = await compactor.compactOne();
      if (segment !== undefined) report('info', 'compacted a log segment', { segment });
    } catch (error) {
      report('error', 'store maintenance failed', { err: error });
    }
  }

  /** Resolves when the round under way is over; no other begins. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    this.#parts.compactor.stop();
    await this.#round;
  }
}
