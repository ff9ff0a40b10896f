// A node's disk for the log, which outlives the node's processes. What is written becomes durable after a while, in order.
// When the process or the machine stops, the writes that were under way are there up to some point: each whole or not at all.

import { CairnError } from '../../src/base/errors.js';
import type { RaftStorage } from '../../src/raft/driver-parts.js';
import type { Entry, HardState } from '../../src/raft/entry.js';
import type { LogBase, WriteBatch } from '../../src/raft/raft-core.js';
import type { StoredLog } from '../../src/raft/recovery.js';
import type { SeededRandom } from '../support/random.js';

/** A log that can be written to. */
export class LogImage implements StoredLog {
  hardState: HardState;
  base: LogBase;
  entries: Entry[];
  /** The highest last index since the term began: what a message that was held back may speak of. */
  peakIndex: number;

  constructor({ hardState, base, entries }: StoredLog) {
    this.hardState = hardState;
    this.base = base;
    this.entries = [...entries];
    this.peakIndex = this.lastIndex;
  }

  get lastIndex(): number {
    return this.base.index + this.entries.length;
  }

  entryAt(index: number): Entry | undefined {
    return this.entries[index - this.base.index - 1];
  }

  termAt(index: number): number | undefined {
    return index === this.base.index ? this.base.term : this.entryAt(index)?.term;
  }

  write({ hardState, entries, snapshot }: WriteBatch): void {
    if (hardState.term > this.hardState.term) this.peakIndex = 0;
    this.hardState = hardState;
    if (snapshot !== undefined) {
      this.base = { index: snapshot.index, term: snapshot.term };
      this.entries = [];
    }
    if (entries.length > 0) {
      this.entries.length = entries[0]!.index - this.base.index - 1;
      for (const entry of entries) this.entries.push(entry);
    }
    this.peakIndex = Math.max(this.peakIndex, this.lastIndex);
  }

  forget(base: LogBase): void {
    if (base.index <= this.base.index) return;
    this.entries = this.entries.slice(base.index - this.base.index);
    this.base = base;
  }
}

export interface DiskTimes {
  /** Milliseconds of one sync at least and at most. */
  readonly syncMin: number;
  readonly syncMax: number;
}

interface Pending {
  readonly batch: WriteBatch;
  readonly done: (error?: CairnError) => void;
}

export class SimDisk {
  /** What would be there if the process stopped now and nothing more. */
  durable: LogImage;
  /** What has been written, whether it is durable or not. */
  written: LogImage;
  /** Time up to which no sync ends. */
  stalledUntil = 0;
  /** The next sync fails. */
  failsNext = false;
  readonly #random: SeededRandom;
  #pending: Pending[] = [];
  #isSyncing = false;

  constructor(log: StoredLog, random: SeededRandom) {
    this.durable = new LogImage(log);
    this.written = new LogImage(log);
    this.#random = random;
  }

  /** The storage of one process. `after` runs what it is given later, as long as that process lives. */
  storage(
    times: DiskTimes,
    now: () => number,
    after: (delay: number, run: () => void) => void,
    onWrite: (batch: WriteBatch) => void,
  ): RaftStorage {
    const sync = () => {
      if (this.#isSyncing || this.#pending.length === 0) return;
      this.#isSyncing = true;
      // All that is waiting goes together.
      const group = this.#pending.length;
      const delay = this.#random.between(times.syncMin, times.syncMax) + Math.max(0, this.stalledUntil - now());
      after(delay, () => {
        if (this.stalledUntil > now()) {
          this.#isSyncing = false;
          sync();
          return;
        }
        this.#isSyncing = false;
        const synced = this.#pending.splice(0, group);
        if (this.failsNext) {
          this.failsNext = false;
          this.#keepSome(synced);
          this.#pending = [];
          for (const { done } of synced) done(new CairnError('storage', 'a sync has failed'));
          return;
        }
        for (const { batch } of synced) this.durable.write(batch);
        for (const { done } of synced) done();
        sync();
      });
    };
    return {
      write: (batch, done) => {
        onWrite(batch);
        this.written.write(batch);
        this.#pending.push({ batch, done });
        sync();
      },
      forget: (base) => {
        this.written.forget(base);
        if (this.#random.chance(0.7)) this.durable.forget(base);
      },
    };
  }

  /** The process has stopped. */
  crash(): void {
    this.#keepSome(this.#pending);
    this.#pending = [];
    this.#isSyncing = false;
    this.failsNext = false;
    this.written = new LogImage(this.durable);
  }

  #keepSome(pending: readonly Pending[]): void {
    const kept = this.#random.below(pending.length + 1);
    for (const { batch } of pending.slice(0, kept)) this.durable.write(batch);
  }
}
