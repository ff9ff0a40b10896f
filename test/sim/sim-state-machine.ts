// A node's applied state, which outlives the node's processes: registers and the state of the group. What is applied is
// durable after a later sync; a crash keeps what was synced, and of the rest a beginning.

import type { Configuration } from '../../src/raft/configuration.js';
import type { RaftStateMachine } from '../../src/raft/driver-parts.js';
import type { Entry, GroupState } from '../../src/raft/entry.js';
import type { SeededRandom } from '../support/random.js';
import { decodeCommand, execute } from './command.js';

export interface AppliedState {
  readonly group: GroupState;
  readonly registers: ReadonlyMap<number, number>;
}

export interface MachineTimes {
  readonly applyMax: number;
  /** Milliseconds between an apply and the sync that covers it, at most. */
  readonly syncMaxMachine: number;
  readonly snapshotMax: number;
}

export interface MachineWatch {
  applied(entry: Entry, clusterVersion: number): void;
  configured(before: Configuration, after: Configuration): void;
  installed(): void;
}

export class SimStateMachine {
  current: AppliedState;
  durable: AppliedState;
  stalledUntil = 0;
  /** Up to this time what is applied does not become durable. */
  syncsLagUntil = 0;
  /** Snapshots that others may fetch, newest last. They are files: a crash leaves them. */
  snapshots: AppliedState[] = [];
  readonly #random: SeededRandom;
  /** States after each batch that is not synced yet. */
  #unsynced: AppliedState[] = [];
  #installing: AppliedState | undefined;
  #isSyncScheduled = false;

  constructor(group: GroupState, random: SeededRandom) {
    this.current = { group, registers: new Map() };
    this.durable = this.current;
    this.#random = random;
  }

  /** The state machine of one process. */
  machine(
    times: MachineTimes,
    now: () => number,
    after: (delay: number, run: () => void) => void,
    watch: MachineWatch,
  ): RaftStateMachine<boolean, AppliedState> {
    const work = (delay: number, run: () => void) => after(delay + Math.max(0, this.stalledUntil - now()), run);
    const lag = () => Math.max(0, this.syncsLagUntil - now());
    const scheduleSync = () => {
      if (this.#isSyncScheduled) return;
      this.#isSyncScheduled = true;
      work(this.#random.between(1, times.syncMaxMachine) + lag(), () => {
        this.#isSyncScheduled = false;
        this.durable = this.current;
        this.#unsynced = [];
      });
    };
    const durableIndex = () => this.durable.group.index;
    return {
      get durableIndex() {
        return durableIndex();
      },
      apply: ({ entries, after: group }, known, done) =>
        work(this.#random.below(times.applyMax + 1), () => {
          const registers = new Map(this.current.registers);
          let version = this.current.group.clusterVersion;
          const results = entries.map((entry) => {
            watch.applied(entry, version);
            if (entry.kind === 'version') version = Math.max(version, entry.data[0]!);
            return entry.kind === 'command' && execute(registers, decodeCommand(entry.data));
          });
          const changes = entries.filter(({ kind }) => kind === 'config').length;
          if (changes === 1) watch.configured(this.current.group.configuration, group.configuration);
          if (this.#random.chance(0.7)) known(results);
          work(this.#random.below(times.applyMax + 1), () => {
            this.current = { group, registers };
            this.#unsynced.push(this.current);
            scheduleSync();
            done(undefined, results);
          });
        }),
      makeSnapshot: (done) =>
        work(this.#random.below(times.snapshotMax + 1), () => {
          this.snapshots = [...this.snapshots.slice(-1), this.current];
          done(undefined, this.current.group);
        }),
      install: (fetched, _group, done) => {
        this.#installing = fetched;
        work(this.#random.below(times.snapshotMax + 1), () => {
          this.#installing = undefined;
          this.current = fetched;
          this.durable = fetched;
          this.#unsynced = [];
          watch.installed();
          done();
        });
      },
    };
  }

  crash(): void {
    const kept = this.#random.below(this.#unsynced.length + 1);
    if (kept > 0) this.durable = this.#unsynced[kept - 1]!;
    if (this.#installing !== undefined && this.#random.chance(0.5)) this.durable = this.#installing;
    this.current = this.durable;
    this.#unsynced = [];
    this.#installing = undefined;
    this.#isSyncScheduled = false;
  }
}
