// One node: a disk and an applied state that stay, and processes that come and go. A process is the real driver on them. What
// a process was about to do when it stopped does not happen; while it is paused, it happens later.

import type { CairnError } from '../../src/base/errors.js';
import type { RaftDriverParts, RaftStorage } from '../../src/raft/driver-parts.js';
import type { GroupState } from '../../src/raft/entry.js';
import type { Message, SnapshotOffer } from '../../src/raft/message.js';
import type { RaftLimits } from '../../src/raft/raft-options.js';
import type { SeededRandom } from '../support/random.js';
import type { Checks } from './checks.js';
import type { EventQueue } from './event-queue.js';
import type { Driver, Implementation } from './implementation.js';
import { type DiskTimes, SimDisk } from './sim-disk.js';
import { type AppliedState, type MachineTimes, SimStateMachine } from './sim-state-machine.js';

export const tickMilliseconds = 10;
export const electionTicks = 10;
/** Of entries, that all nodes understand. */
export const newestVersion = 2;

/** Small, so that every one of them is reached. */
const simLimits: RaftLimits = {
  proposalBytesMax: 400,
  messageBytesMax: 600,
  inflightMessagesMax: 4,
  inflightBytesMax: 1500,
  uncommittedBytesMax: 4000,
  unappliedBytesMax: 6000,
  applyBytesMax: 800,
  waitingReadsMax: 16,
};

export interface NodeWorld {
  readonly implementation: Implementation;
  readonly queue: EventQueue;
  readonly checks: Checks;
  readonly times: DiskTimes & MachineTimes;
  /** Deals with a message that has left the node. */
  readonly send: (message: Message) => void;
  /** Fetches a snapshot's parts from another node; undefined when that fails. */
  readonly fetch: (offer: SnapshotOffer, done: (state: AppliedState | undefined) => void) => void;
  /** Called after everything the node has done. */
  readonly observe: (node: SimNode) => void;
  readonly onFailed: (node: SimNode) => void;
  readonly onInstalled: (node: SimNode) => void;
}

export class SimNode {
  disk: SimDisk;
  machine: SimStateMachine;
  driver: Driver | undefined;
  isWiped = false;
  pausedUntil = 0;
  /** The process has not yet done what follows from what it was told. */
  isLagging = false;
  tickInterval = tickMilliseconds;
  readonly #world: NodeWorld;
  readonly #random: SeededRandom;
  #process = 0;
  #ticks = 0;
  /** When the writes under way began. */
  readonly #writes: number[] = [];

  constructor(
    readonly id: number,
    group: GroupState,
    world: NodeWorld,
    random: SeededRandom,
  ) {
    this.disk = new SimDisk(world.implementation.emptyLog(group), random);
    this.machine = new SimStateMachine(group, random);
    this.#world = world;
    this.#random = random;
  }

  get written() {
    return this.disk.written;
  }

  get durable() {
    return this.disk.durable;
  }

  get durableGroup() {
    return this.machine.durable.group;
  }

  get isUp(): boolean {
    return this.driver !== undefined;
  }

  start(): void {
    const { implementation, checks, queue, times } = this.#world;
    const process = ++this.#process;
    this.pausedUntil = 0;
    this.isLagging = false;
    this.#writes.length = 0;
    const after = (delay: number, run: () => void) => this.#after(process, delay, run);
    const now = () => queue.now;
    const recovered = implementation.recoverRaft(this.disk.durable, this.machine.durable.group);
    const { hardState, log } = recovered.start;
    checks.restarts(this, hardState.term, log.commit);
    const parts: RaftDriverParts<boolean, AppliedState> = {
      options: {
        id: this.id,
        electionTicks,
        heartbeatTicks: 2,
        versionMax: newestVersion,
        random: (end) => this.#random.below(end),
        limits: simLimits,
      },
      driver: {
        requestTicks: 60,
        readRetryTicks: 10,
        logKeptBytes: 1000,
        logPinnedBytesMax: 8000,
        requestsMax: 64,
      },
      storage: this.#timed(this.disk.storage(times, now, after, (batch) => checks.write(this, batch))),
      transport: {
        send: (message) => {
          checks.sends(this, message);
          this.#world.send(message);
        },
        fetchSnapshot: (offer, done) =>
          this.#world.fetch(offer, (state) => {
            after(0, () => done(state === undefined ? ({} as CairnError) : undefined, state));
          }),
        discardSnapshot: () => {},
      },
      stateMachine: this.machine.machine(times, now, after, {
        applied: (entry, clusterVersion) => checks.applies(this, entry, clusterVersion),
        configured: (before, after) => checks.configured(this, before, after),
        installed: () => this.#world.onInstalled(this),
      }),
      soon: (run) => {
        if (this.#random.chance(0.8)) {
          run();
          return;
        }
        this.isLagging = true;
        after(this.#random.below(2), () => {
          this.isLagging = false;
          run();
        });
      },
      onFailed: () => this.#world.onFailed(this),
    };
    this.driver = new implementation.RaftDriver(parts, recovered);
    this.#scheduleTick(process);
    this.#world.observe(this);
  }

  get stalledTicks() {
    return this.#ticks - (this.#writes[0] ?? this.#ticks);
  }

  #timed({ write, forget }: RaftStorage): RaftStorage {
    return {
      write: (batch, done) => {
        this.#writes.push(this.#ticks);
        write(batch, (error) => {
          this.#writes.shift();
          done(error);
        });
      },
      forget,
    };
  }

  #scheduleTick(process: number): void {
    this.#after(process, this.tickInterval, () => {
      this.#ticks++;
      this.driver!.tick();
      if (process === this.#process) this.#scheduleTick(process);
    });
  }

  /** Runs something as this process: not when it has stopped, later when it is paused. */
  #after(process: number, delay: number, run: () => void): void {
    const { queue, observe } = this.#world;
    queue.after(delay, () => {
      if (process !== this.#process || this.driver === undefined) return;
      if (this.pausedUntil > queue.now) {
        this.#after(process, this.pausedUntil - queue.now, run);
        return;
      }
      run();
      observe(this);
    });
  }

  receive(message: Message): void {
    if (this.driver === undefined) return;
    if (this.pausedUntil > this.#world.queue.now) this.#after(this.#process, 0, () => this.driver!.receive(message));
    else this.call((driver) => driver.receive(message));
  }

  /** Calls this node's process. False: there is none, or it does not answer. */
  call(call: (driver: Driver) => void): boolean {
    if (this.driver === undefined || this.pausedUntil > this.#world.queue.now) return false;
    call(this.driver);
    this.#world.observe(this);
    return true;
  }

  /** An empty disk in place of the old one. */
  forgetAll(): void {
    const { emptyLog, joiningGroup } = this.#world.implementation;
    this.disk = new SimDisk(emptyLog(joiningGroup), this.#random);
    this.machine = new SimStateMachine(joiningGroup, this.#random);
  }

  /** The process is gone, with what was not durable. */
  crash(): void {
    if (this.driver === undefined) return;
    const { driver } = this;
    this.driver = undefined;
    this.#process++;
    this.disk.crash();
    this.machine.crash();
    driver.stop();
  }
}
