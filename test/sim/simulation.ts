// One run: a group of nodes with the real driver, clients and trouble, for so many events; then the trouble ends, and the
// group has to get on. A run is a function of its options.

import { isJoint, membersOf } from '../../src/raft/configuration.js';
import type { Message, SnapshotOffer } from '../../src/raft/message.js';
import { seededRandom } from '../support/random.js';
import { Checks, Violation } from './checks.js';
import { Clients } from './clients.js';
import { EventQueue } from './event-queue.js';
import { type Implementation, realImplementation } from './implementation.js';
import { Nemesis } from './nemesis.js';
import { SimNetwork } from './sim-network.js';
import { electionTicks, SimNode, tickMilliseconds } from './sim-node.js';
import type { AppliedState } from './sim-state-machine.js';
import { Trace } from './trace.js';

export interface SimulationOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Events with trouble. */
  readonly steps: number;
  readonly implementation?: Implementation;
  /** A lost disk is replaced by an empty one under the same id: a mistake, to be found. */
  readonly reusesIds?: boolean;
  /** Lines of the trace that a failure brings along. */
  readonly linesMax?: number;
}

export interface SimulationReport {
  readonly seed: number;
  /** Undefined: all is well. */
  readonly failure: { readonly rule: string; readonly message: string } | undefined;
  readonly hash: string;
  readonly events: number;
  readonly milliseconds: number;
  /** How often what happened: a run in which nothing does proves nothing. */
  readonly counts: Readonly<Record<string, number>>;
  readonly lines: readonly string[];
}

/** Without trouble the group must have done what was asked within so many election timeouts. */
const progressMilliseconds = 60 * electionTicks * tickMilliseconds;

export function simulate(options: SimulationOptions): SimulationReport {
  const simulation = new Simulation(options);
  return simulation.run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #queue = new EventQueue();
  readonly #trace: Trace;
  readonly #random;
  readonly #nodes = new Map<number, SimNode>();
  readonly #checks = new Checks(this.#nodes);
  readonly #network: SimNetwork;
  readonly #nemesis: Nemesis;
  readonly #clients: Clients;
  #snapshots = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#trace = new Trace(options.linesMax ?? 0);
    const random = seededRandom(options.seed);
    this.#random = random;
    const queue = this.#queue;
    this.#network = new SimNetwork(queue, random, (message) => this.#deliver(message));
    const voters = random.between(Math.min(3, options.nodes), options.nodes);
    for (let id = 1; id <= options.nodes; id++) this.#addNode(id <= voters ? voters : 0);
    for (const node of this.#nodes.values()) node.start();
    const nodes = () => [...this.#nodes.values()];
    const addNode = () => {
      const node = this.#addNode(0);
      node.start();
      return node;
    };
    const { reusesIds = false } = options;
    this.#nemesis = new Nemesis({
      queue,
      random,
      network: this.#network,
      trace: this.#trace,
      nodes,
      addNode,
      reusesIds,
    });
    this.#clients = new Clients(queue, random, nodes, random.between(2, 6), random.pick([5, 20, 60, 200]));
  }

  /** `voters`: how many found the group, this one among them; 0 for a node that may join it. */
  #addNode(voters: number): SimNode {
    const implementation = this.#options.implementation ?? realImplementation;
    const id = this.#nodes.size + 1;
    const ids = Array.from({ length: voters }, (_, at) => at + 1);
    const group = voters > 0 ? implementation.foundingGroup(ids, 1) : implementation.joiningGroup;
    const node = new SimNode(
      id,
      group,
      {
        implementation,
        queue: this.#queue,
        checks: this.#checks,
        times: { syncMin: 1, syncMax: 6, applyMax: 4, syncMaxMachine: 150, snapshotMax: 40 },
        send: (message) => this.#network.send(message),
        fetch: (offer, done) => this.#fetch(offer, this.#random.between(1, 4), done),
        observe: (each) => this.#observe(each),
        onFailed: (each) => this.#nemesis.crash(each),
        onInstalled: (each) => {
          this.#snapshots++;
          this.#nemesis.installed(each);
        },
      },
      this.#random,
    );
    this.#nodes.set(id, node);
    return node;
  }

  #deliver(message: Message): void {
    const node = this.#nodes.get(message.to);
    if (node === undefined) return;
    this.#trace.note(this.#queue.now, message.from, message.to, message.type.length, message.term);
    this.#trace.line(() => `${this.#queue.now}ms ${describe(message)}`);
    node.receive(message);
  }

  /** A snapshot comes in parts, each of which may fail with its sender or with the network. */
  #fetch(offer: SnapshotOffer, parts: number, done: (state: AppliedState | undefined) => void): void {
    const { from, to, snapshot } = offer;
    this.#queue.after(this.#network.delay() + this.#random.below(10), () => {
      const sender = this.#nodes.get(from)!;
      const state = sender.machine.snapshots.find(({ group }) => group.index === snapshot.index);
      const isLost = this.#network.isCut(from, to) || this.#random.chance(this.#network.faults.loss);
      if (!sender.isUp || isLost || state === undefined) done(undefined);
      else if (parts === 1) done(state);
      else this.#fetch(offer, parts - 1, done);
    });
  }

  #observe(node: SimNode): void {
    const { driver } = node;
    if (driver === undefined) return;
    const status = driver.status();
    this.#trace.note(this.#queue.now, node.id, status.term, status.commit, status.applied, status.lastIndex);
    this.#checks.status(node, status);
  }

  run(): SimulationReport {
    let failure: SimulationReport['failure'];
    try {
      while (this.#queue.steps < this.#options.steps) this.#queue.step();
      this.#nemesis.stop();
      this.#mustGetOn();
      this.#clients.stop();
      this.#mustReadInQuiet();
      const key = this.#clients.broken();
      if (key !== undefined) throw new Violation('linearizable', `register ${key}`);
    } catch (error) {
      const rule = error instanceof Violation ? error.rule : 'assertion';
      failure = { rule, message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    const { reads, writes, unknown } = this.#clients;
    const { crashes, changes, wipes } = this.#nemesis;
    return {
      seed: this.#options.seed,
      failure,
      hash: this.#trace.hash,
      events: this.#queue.steps,
      milliseconds: this.#queue.now,
      counts: {
        reads,
        writes,
        unknown,
        crashes,
        changes,
        wipes,
        leaders: this.#checks.leadersElected,
        snapshots: this.#snapshots,
        commit: this.#checks.commitIndex,
      },
      lines: this.#trace.lines,
    };
  }

  /** Somebody leads, commits something new, no change is half done, and every member has applied it all. */
  #mustGetOn(): void {
    const from = this.#checks.commitIndex;
    const deadline = this.#queue.now + progressMilliseconds;
    while (this.#queue.now < deadline) {
      if (this.#checks.commitIndex <= from + 1) this.#nemesis.nudge();
      for (let step = 0; step < 50; step++) this.#queue.step();
      if (this.#checks.commitIndex > from + 1 && this.#isSettled()) return;
    }
    const states = [...this.#nodes.values()].map(({ id, driver, isWiped }) => {
      const status = driver?.status();
      return `${id}: ${isWiped ? 'wiped' : JSON.stringify(status)}`;
    });
    throw new Violation('progress', `nothing committed after ${from} is applied everywhere\n${states.join('\n')}`);
  }

  /** Nobody writes, the leader is gone: the next one must come to where it can answer a read by itself. */
  #mustReadInQuiet(): void {
    const old = this.#nemesis.leader()!;
    old.crash();
    old.start();
    const deadline = this.#queue.now + progressMilliseconds;
    let outcome: string | undefined;
    let retry = true;
    while (outcome !== 'ready' && this.#queue.now < deadline) {
      const leader = this.#nemesis.leader();
      if (retry && leader !== undefined) {
        retry = false;
        leader.call((driver) =>
          driver.read((answer) => {
            outcome = answer;
            retry = true;
          }),
        );
      }
      this.#queue.step();
    }
    if (outcome !== 'ready') throw new Violation('progress', 'a read in a quiet group is not answered');
    this.#mustAgree();
  }

  /** Who has applied the same entries has the same state. */
  #mustAgree(): void {
    const byIndex = new Map<number, string>();
    for (const { id, machine, isWiped } of this.#nodes.values()) {
      if (isWiped) continue;
      const { group, registers } = machine.current;
      const text = JSON.stringify([group, [...registers].sort(([a], [b]) => a - b)]);
      const other = byIndex.get(group.index) ?? text;
      if (other !== text) throw new Violation('same state', `node ${id} at ${group.index}: ${text}, not ${other}`);
      byIndex.set(group.index, text);
    }
  }

  #isSettled(): boolean {
    const leader = this.#nemesis.leader()?.driver?.status();
    if (leader === undefined || isJoint(leader.group.configuration)) return false;
    const members = membersOf(leader.group.configuration).map((id) => this.#nodes.get(id)!);
    const least = this.#progressMark ?? leader.commit;
    this.#progressMark = least;
    return members.every(({ isWiped, driver }) => isWiped || (driver?.status().applied ?? 0) >= least);
  }

  #progressMark: number | undefined;
}

function describe(message: Message): string {
  const { type, from, to, term, ...rest } = message;
  const text = JSON.stringify(rest, (key, value) => (key === 'data' ? '…' : (value as unknown)));
  return `${from}>${to} t${term} ${type} ${text}`;
}
