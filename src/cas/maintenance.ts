// What a store does by itself, one thing at a time: every few seconds, or when the index lags far behind, it brings the
// index up to date, saves the table if much has changed, and compacts a segment if one is worth it. Failures are reported
// and tried again the next time; they cost space or time, never a blob.

import type { Clock } from '../base/clock.js';
import type { Catalog } from './catalog.js';
import type { Compactor } from './compactor.js';
import type { StoreReport } from './store-report.js';
import type { TableSource } from './table-file.js';

export interface MaintenanceParts {
  readonly catalog: Catalog;
  readonly compactor: Compactor;
  /** Saves the table where the next opening looks for it. */
  readonly save: (source: TableSource) => Promise<boolean>;
  readonly clock: Clock;
  readonly intervalMilliseconds: number;
  readonly report: StoreReport;
}

export class Maintenance {
  readonly #parts: MaintenanceParts;
  #cancel: () => void = () => {};
  #round: Promise<void> = Promise.resolve();
  #isWaiting = false;
  #stopped = false;

  constructor(parts: MaintenanceParts) {
    this.#parts = parts;
    parts.catalog.onLag = () => this.#hurry();
    this.#schedule();
  }

  #schedule(): void {
    this.#isWaiting = !this.#stopped;
    if (this.#isWaiting) this.#cancel = this.#parts.clock.after(this.#parts.intervalMilliseconds, () => this.#begin());
  }

  #begin(): void {
    this.#isWaiting = false;
    this.#round = this.#runRound().finally(() => this.#schedule());
  }

  #hurry(): void {
    if (!this.#isWaiting) return;
    this.#cancel();
    this.#begin();
  }

  async #runRound(): Promise<void> {
    const { catalog, compactor, save, report } = this.#parts;
    const isStopped = () => this.#stopped;
    try {
      await catalog.keepUp(isStopped);
      if (catalog.shouldSave && !this.#stopped) await catalog.saveMemory(save, isStopped);
      const segment = await compactor.compactOne();
      if (segment !== undefined) report('info', 'compacted a log segment', { segment });
    } catch (error) {
      report('error', 'store maintenance failed', { err: error });
    }
  }

  /** Resolves when the round under way is over; no other begins. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#isWaiting = false;
    this.#cancel();
    this.#parts.compactor.stop();
    await this.#round;
  }
}
