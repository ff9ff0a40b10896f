// Runs a core on a disk, a network and a state machine that answer when they like: carries out what `ready` says, keeps
// snapshots, compaction, proposals and reads going. Single-threaded, no time of its own: `tick` comes from the host. The
// order that matters: a batch is written before anything it promises is sent (the core sees to that); a snapshot is
// installed before the log is told; entries are forgotten only when the state they made is durable.

import type { CairnError } from '../base/errors.js';
import type { ConfigChange } from './config-change.js';
import type { ProposalOutcome, RaftDriverParts, ReadOutcomeKind } from './driver-parts.js';
import type { Message, SnapshotOffer } from './message.js';
import type { NodeId } from './node-id.js';
import { Proposals } from './proposals.js';
import { type ApplyBatch, type Proposed, RaftCore, type RaftStatus, type WriteBatch } from './raft-core.js';
import { Reads } from './reads.js';
import type { RecoveredRaft } from './recovery.js';

/** Contexts of reads begin anywhere below 2^51, and leave room for 2^20 before another node incarnation's could begin. */
const contextRoom = 2 ** 20;

export class RaftDriver<Result, Fetched> {
  readonly #parts: RaftDriverParts<Result, Fetched>;
  readonly #core: RaftCore;
  readonly #proposals = new Proposals<Result>();
  readonly #reads: Reads;
  #tick = 0;
  #isStopped = false;
  #isScheduled = false;
  #isMakingSnapshot = false;
  #isFetching = false;
  /** Fetched, and offered to the core. */
  #fetched: Fetched | undefined;
  /** The state machine is at work on entries. */
  #isApplying = false;
  /** Writes in order; while the head has a snapshot that is being installed, those behind it wait. */
  readonly #writes: WriteBatch[] = [];
  #isInstalling = false;

  constructor(parts: RaftDriverParts<Result, Fetched>, recovered: RecoveredRaft) {
    this.#parts = parts;
    const { options, driver, storage } = parts;
    this.#core = new RaftCore(options, recovered.start);
    this.#reads = new Reads(driver.readRetryTicks, options.random(2 ** 31) * contextRoom);
    if (recovered.replacedBy !== undefined) {
      const { hardState } = recovered.start;
      storage.write({ sequence: 0, hardState, entries: [], snapshot: recovered.replacedBy }, (error) => {
        if (error !== undefined) this.#fail(error);
      });
    }
  }

  /** The pace of elections and heartbeats. */
  tick(): void {
    if (this.#isStopped) return;
    this.#tick++;
    this.#core.tick();
    this.#proposals.tick(this.#tick);
    this.#reads.tick(this.#tick);
    this.#advanceSoon();
  }

  /** A message from another node. */
  receive(message: Message): void {
    if (this.#isStopped) return;
    if (message.type === 'snapshot' && this.#core.wantsSnapshot(message)) this.#fetch(message);
    else this.#core.step(message);
    this.#advanceSoon();
  }

  /** Proposes a command. `done` is called once, at the latest after `requestTicks`. */
  propose(data: Uint8Array, version: number, done: (outcome: ProposalOutcome<Result>) => void): void {
    this.#propose(() => this.#core.propose(data, version), done);
  }

  /**
   * Changes who belongs to the group. Done when the change is in force; a joint one ends by itself a little later. All who
   * come understand entries up to `versionMax`.
   */
  changeMembers(change: ConfigChange, versionMax: number, done: (outcome: ProposalOutcome<Result>) => void): void {
    this.#propose(() => this.#core.proposeConfigChange(change, versionMax), done);
  }

  raiseVersion(version: number, done: (outcome: ProposalOutcome<Result>) => void): void {
    this.#propose(() => this.#core.proposeVersion(version), done);
  }

  #propose(propose: () => Proposed, done: (outcome: ProposalOutcome<Result>) => void): void {
    const { requestsMax, requestTicks } = this.#parts.driver;
    const leader = this.#core.leader;
    if (this.#isStopped) {
      done({ kind: 'refused', reason: 'stopped', leader });
    } else if (this.#proposals.size >= requestsMax) {
      done({ kind: 'refused', reason: 'overloaded', leader });
    } else {
      const proposed = propose();
      if (proposed.refused !== undefined) done({ kind: 'refused', reason: proposed.refused, leader });
      else this.#proposals.add(proposed.index, proposed.term, this.#tick + requestTicks, done);
      this.#advanceSoon();
    }
  }

  /** Calls back when the applied state holds everything that was acknowledged before this call. On any node. */
  read(done: (outcome: ReadOutcomeKind) => void): void {
    if (this.#isStopped) {
      done('stopped');
    } else if (this.#reads.size >= this.#parts.driver.requestsMax) {
      done('overloaded');
    } else {
      this.#reads.add(this.#tick + this.#parts.driver.requestTicks, done);
      this.#advanceSoon();
    }
  }

  /** False when this node does not lead, or `to` is no other voter. Whether it came to pass, `status` tells. */
  transferLeadership(to: NodeId): boolean {
    const isBegun = !this.#isStopped && this.#core.transferLeadership(to);
    this.#advanceSoon();
    return isBegun;
  }

  status(): RaftStatus {
    return this.#core.status();
  }

  /** No more messages, writes or batches. What is under way at the disk ends by itself; its answers are ignored. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#proposals.stop();
    this.#reads.stop();
  }

  #fail(error: CairnError): void {
    if (this.#isStopped) return;
    this.stop();
    this.#parts.onFailed(error);
  }

  #advanceSoon(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    this.#parts.soon(() => {
      this.#isScheduled = false;
      this.#advance();
    });
  }

  #advance(): void {
    while (!this.#isStopped) {
      this.#reads.ask(this.#tick, (context) => this.#core.readIndex(context));
      const ready = this.#core.ready();
      if (ready === undefined) return;
      for (const { context, index } of ready.reads) this.#reads.answered(this.#tick, context, index);
      if (ready.reads.length > 0) this.#reads.applied(this.#core.appliedIndex);
      if (ready.write !== undefined) this.#writes.push(ready.write);
      this.#startWrites();
      for (const message of ready.messages) this.#parts.transport.send(message);
      if (ready.apply !== undefined) this.#apply(ready.apply);
      if (ready.snapshotWanted) this.#makeSnapshot();
    }
  }

  #startWrites(): void {
    while (this.#writes.length > 0 && !this.#isInstalling && !this.#isStopped) {
      const batch = this.#writes[0]!;
      if (batch.snapshot !== undefined) {
        // The state machine does one thing at a time.
        if (!this.#isApplying) this.#install(batch, batch.snapshot.index);
        return;
      }
      this.#writes.shift();
      this.#write(batch, () => {});
    }
  }

  #write(batch: WriteBatch, then: () => void): void {
    this.#parts.storage.write(batch, (error) => {
      if (this.#isStopped) return;
      if (error !== undefined) {
        this.#fail(error);
        return;
      }
      this.#core.written(batch.sequence);
      then();
      this.#advanceSoon();
    });
  }

  #install(batch: WriteBatch, index: number): void {
    this.#isInstalling = true;
    const fetched = this.#fetched!;
    this.#fetched = undefined;
    this.#parts.stateMachine.install(fetched, batch.snapshot!, (error) => {
      if (this.#isStopped) return;
      if (error !== undefined) {
        this.#fail(error);
        return;
      }
      this.#isInstalling = false;
      this.#writes.shift();
      this.#write(batch, () => {
        this.#proposals.skipped(index);
        this.#core.applied(index);
        this.#reads.applied(index);
      });
      this.#startWrites();
    });
  }

  #apply(batch: ApplyBatch): void {
    this.#isApplying = true;
    // The entries are committed: whatever becomes of this node, this is what has become of them. Changes of the group are in
    // force only when they have been applied.
    const known = (results: readonly Result[]) => {
      if (!this.#isStopped) this.#proposals.known(batch.entries, results);
    };
    this.#parts.stateMachine.apply(batch, known, (error, results) => {
      if (this.#isStopped) return;
      this.#isApplying = false;
      if (error !== undefined) {
        this.#fail(error);
        return;
      }
      const { index } = batch.after;
      this.#core.applied(index);
      this.#proposals.applied(batch.entries, results);
      this.#reads.applied(index);
      this.#compact();
      this.#startWrites();
      this.#advanceSoon();
    });
  }

  #compact(): void {
    const { logKeptBytes, logPinnedBytesMax } = this.#parts.driver;
    if (this.#core.appliedBytes < 2 * logKeptBytes) return;
    const { durableIndex } = this.#parts.stateMachine;
    const base = this.#core.compact(durableIndex, logKeptBytes, logPinnedBytesMax);
    if (base !== undefined) this.#parts.storage.forget(base);
  }

  #makeSnapshot(): void {
    if (this.#isMakingSnapshot) return;
    this.#isMakingSnapshot = true;
    this.#parts.stateMachine.makeSnapshot((error, group) => {
      this.#isMakingSnapshot = false;
      if (this.#isStopped || error !== undefined) return;
      this.#core.snapshotMade(group!);
      this.#advanceSoon();
    });
  }

  /** One at a time; whoever offered another will offer it again. */
  #fetch(offer: SnapshotOffer): void {
    if (this.#isFetching || this.#fetched !== undefined) return;
    this.#isFetching = true;
    this.#parts.transport.fetchSnapshot(offer, (error, fetched) => {
      this.#isFetching = false;
      if (this.#isStopped || error !== undefined) return;
      if (this.#core.wantsSnapshot(offer)) this.#fetched = fetched!;
      else this.#parts.transport.discardSnapshot(fetched!);
      this.#core.step(offer);
      this.#advanceSoon();
    });
  }
}
