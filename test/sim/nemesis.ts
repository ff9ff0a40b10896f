// What goes wrong, and what operators do meanwhile. Each seed draws which kinds of trouble it has, so that some runs have a
// lot of one kind. An atlas keeps every fault survivable: processes may all stop, but no more than one disk of the group is
// ever lost at a time, and the next only when the group has replaced that one.

import type { MemberChange } from '../../src/raft/config-change.js';
import { isJoint, isVoter, membersOf } from '../../src/raft/configuration.js';
import type { GroupState } from '../../src/raft/entry.js';
import type { SeededRandom } from '../support/random.js';
import { encodeCommand } from './command.js';
import type { EventQueue } from './event-queue.js';
import { noFaults, type SimNetwork } from './sim-network.js';
import { newestVersion, type SimNode } from './sim-node.js';
import type { Trace } from './trace.js';

type Trouble =
  | 'partition'
  | 'one-way'
  | 'heal'
  | 'crash'
  | 'crash-all'
  | 'pause'
  | 'disk-stall'
  | 'machine-stall'
  | 'machine-lag'
  | 'old-leader'
  | 'burst'
  | 'late'
  | 'left-behind'
  | 'sync-failure'
  | 'transfer'
  | 'members'
  | 'wipe'
  | 'version'
  | 'weather';

const troubles: readonly Trouble[] = [
  'partition',
  'one-way',
  'heal',
  'crash',
  'crash-all',
  'pause',
  'disk-stall',
  'machine-stall',
  'machine-lag',
  'old-leader',
  'burst',
  'late',
  'left-behind',
  'sync-failure',
  'transfer',
  'members',
  'wipe',
  'version',
  'weather',
];

/** A register of its own, which no client looks at. */
const burstKey = 200;

export interface NemesisParts {
  readonly queue: EventQueue;
  readonly random: SeededRandom;
  readonly network: SimNetwork;
  readonly trace: Trace;
  readonly nodes: () => readonly SimNode[];
  readonly addNode: () => SimNode;
  readonly reusesIds: boolean;
}

export class Nemesis {
  readonly #parts: NemesisParts;
  readonly #kinds: readonly Trouble[];
  readonly #pauseMax: number;
  #isStopped = false;
  /** Changes of members that were proposed and have no outcome yet. */
  #changing = 0;
  changes = 0;
  crashes = 0;
  wipes = 0;

  constructor(parts: NemesisParts) {
    this.#parts = parts;
    const { random } = parts;
    this.#kinds = ['heal', ...troubles.filter(() => random.chance(0.5))] as const;
    this.#pauseMax = random.pick([40, 100, 300, 800]);
    this.#later();
    if (random.chance(0.2)) this.#churn(random.pick([60, 200]));
  }

  /** Members come and go all the time, whatever else happens. */
  #churn(pauseMax: number): void {
    const { queue, random } = this.#parts;
    queue.after(10 + random.below(pauseMax), () => {
      if (this.#isStopped) return;
      this.#changeMembers();
      this.#churn(pauseMax);
    });
  }

  #later(): void {
    const { queue, random } = this.#parts;
    queue.after(10 + random.below(this.#pauseMax), () => {
      if (this.#isStopped) return;
      const kind = random.pick(this.#kinds);
      this.#parts.trace.line(() => `${queue.now}ms trouble: ${kind}`);
      this.#parts.trace.note(troubles.indexOf(kind));
      this.#make(kind);
      this.#later();
    });
  }

  /** No more trouble, and what there is ends. */
  stop(): void {
    this.#isStopped = true;
    const { network, queue } = this.#parts;
    network.heal();
    network.faults = noFaults;
    for (const node of this.#parts.nodes()) {
      node.pausedUntil = Math.min(node.pausedUntil, queue.now);
      node.disk.stalledUntil = Math.min(node.disk.stalledUntil, queue.now);
      node.disk.failsNext = false;
      node.machine.stalledUntil = Math.min(node.machine.stalledUntil, queue.now);
      node.machine.syncsLagUntil = Math.min(node.machine.syncsLagUntil, queue.now);
      if (!node.isUp && !node.isWiped) node.start();
    }
  }

  /** A command for whoever leads: clients may all be waiting for nodes that do not belong to the group any more. */
  nudge(): void {
    const leader = this.leader();
    if (leader !== undefined) this.#burst(leader, 1);
  }

  /** The node whose process sees itself as the leader of the newest term. */
  leader(): SimNode | undefined {
    const leaders = this.#parts.nodes().filter(({ driver }) => driver?.status().role === 'leader');
    return leaders.sort((a, b) => b.driver!.status().term - a.driver!.status().term)[0];
  }

  #make(kind: Trouble): void {
    const { random, network, queue } = this.#parts;
    const nodes = this.#parts.nodes().filter(({ isWiped }) => !isWiped);
    const node = random.chance(0.4) ? (this.leader() ?? random.pick(nodes)) : random.pick(nodes);
    switch (kind) {
      case 'partition': {
        const side = random.chance(0.5) ? [node] : nodes.filter(() => random.chance(0.5));
        for (const a of side) {
          for (const b of nodes) if (!side.includes(b)) this.#cut(a.id, b.id, true);
        }
        break;
      }
      case 'one-way':
        for (const other of nodes) if (random.chance(0.6)) this.#cut(node.id, other.id, false);
        break;
      case 'heal':
        network.heal();
        break;
      case 'crash':
        this.crash(node);
        break;
      case 'crash-all':
        for (const each of nodes) if (random.chance(0.8)) this.crash(each);
        break;
      case 'pause':
        node.pausedUntil = queue.now + 20 + random.below(600);
        break;
      case 'disk-stall':
        node.disk.stalledUntil = queue.now + 20 + random.below(600);
        break;
      case 'machine-stall':
        node.machine.stalledUntil = queue.now + 100 + random.below(2000);
        break;
      case 'machine-lag':
        node.machine.syncsLagUntil = queue.now + 100 + random.below(2000);
        break;
      case 'old-leader':
        this.#cutOffLeader();
        break;
      case 'burst':
        this.#burst(node, random.between(5, 40));
        break;
      case 'left-behind':
        this.#leaveBehind(node);
        break;
      case 'late':
        this.#holdUp(node);
        break;
      case 'sync-failure':
        node.disk.failsNext = true;
        break;
      case 'transfer': {
        const to = random.pick(nodes).id;
        this.leader()?.call((driver) => driver.transferLeadership(to));
        break;
      }
      case 'members':
        this.#changeMembers();
        break;
      case 'wipe':
        this.#wipe(node);
        break;
      case 'version':
        this.leader()?.call((driver) => driver.raiseVersion(newestVersion, () => {}));
        break;
      case 'weather':
        network.faults = {
          loss: random.pick([0, 0, 0.02, 0.1, 0.3]),
          repetition: random.pick([0, 0.02, 0.2]),
          delay: random.pick([0, 0.05, 0.2]),
          delayMax: random.pick([20, 100, 500]),
        };
        node.tickInterval = random.between(7, 14);
    }
  }

  /** A leader with a slow clock is cut off: it takes itself for the leader as long as that can be. */
  #cutOffLeader(): void {
    const { random, queue } = this.#parts;
    const old = this.leader();
    if (old === undefined) return;
    old.tickInterval = random.pick([10, 20]);
    for (const other of this.#parts.nodes()) {
      if (other === old) continue;
      other.tickInterval = random.pick([7, 10]);
      this.#cut(old.id, other.id, true);
    }
    this.#burst(old, random.between(20, 60));
    // Its successor goes on, perhaps so far that it can no longer send all that the old one missed.
    const isolation = 200 + random.below(600);
    for (const share of [0.5, 0.7, 0.9]) {
      queue.after(isolation * share, () => {
        const next = this.leader();
        if (!this.#isStopped && next !== undefined && next !== old) this.#burst(next, random.between(5, 15));
      });
    }
    queue.after(isolation, () => this.#parts.network.heal());
  }

  /** A node misses so much that it may need a snapshot, some of it when it was already on its way. */
  #leaveBehind(node: SimNode): void {
    const { network, queue, random } = this.#parts;
    for (const other of this.#parts.nodes()) if (other !== node) network.cut(other.id, node.id);
    const isolation = 50 + random.below(500);
    for (const share of [0.1, 0.4, 0.8]) {
      queue.after(isolation * share, () => {
        const leader = this.leader();
        if (!this.#isStopped && leader !== undefined) this.#burst(leader, random.between(5, 40));
      });
    }
    queue.after(isolation, () => network.heal());
  }

  /** A snapshot is in place, and the log does not know yet. */
  installed(node: SimNode): void {
    const { queue, random } = this.#parts;
    if (!this.#isStopped && random.chance(0.25)) queue.after(random.below(4), () => this.crash(node));
  }

  /** What is on its way to a node arrives late, and the process that it was meant for is gone by then. */
  #holdUp(node: SimNode): void {
    const { network, queue, random } = this.#parts;
    network.holdUp(node.id, queue.now + 10 + random.below(40), random.between(50, 300));
    queue.after(20 + random.below(60), () => {
      if (!this.#isStopped && node.isUp) this.crash(node, 10);
    });
  }

  /** Many proposals at once, on whoever takes them: logs that differ at length when the leader changes. */
  #burst(node: SimNode, count: number): void {
    const { random } = this.#parts;
    node.call((driver) => {
      for (let at = 0; at < count; at++) {
        const command = { kind: 'write', key: burstKey, from: 0, to: random.below(2 ** 31) } as const;
        driver.propose(encodeCommand(command, random.below(60)), 1, () => {});
      }
    });
  }

  #cut(a: number, b: number, both: boolean): void {
    const { network, random } = this.#parts;
    const out = random.chance(0.5);
    if (both || out) network.cut(a, b);
    if (both || !out) network.cut(b, a);
  }

  /** A process stops, and starts again some time later. */
  crash(node: SimNode, restartMax?: number): void {
    if (!node.isUp) return;
    this.crashes++;
    node.crash();
    const { queue, random } = this.#parts;
    queue.after(1 + random.below(restartMax ?? random.pick([20, 300, 1500])), () => {
      if (!node.isUp && !node.isWiped) node.start();
    });
  }

  #propose(changes: readonly MemberChange[]): void {
    this.leader()?.call((driver) => {
      this.#changing++;
      driver.changeMembers({ changes, context: '' }, newestVersion, (outcome) => {
        this.#changing--;
        if (outcome.kind === 'applied') this.changes++;
      });
    });
  }

  #changeMembers(): void {
    const { random } = this.#parts;
    const leader = this.leader();
    if (leader === undefined) return;
    const { configuration } = leader.driver!.status().group;
    const wiped = membersOf(configuration).find((id) => this.#node(id)?.isWiped);
    if (wiped !== undefined) {
      this.#replace(wiped);
      return;
    }
    const { voters, learners } = configuration;
    const spare = this.#parts
      .nodes()
      .filter(({ id, isWiped }) => !isWiped && !membersOf(configuration).includes(id))
      .map(({ id }) => id);
    const changes: MemberChange[] = [];
    const count = random.pick([1, 1, 2, 3]);
    for (let at = 0; at < count; at++) {
      const id = random.pick([...voters, ...learners, ...spare]);
      changes.push({ id, type: random.pick(['voter', 'voter', 'learner', 'remove'] as const) });
    }
    // Groups of fewer than three voters stand still when one process does; there are some, but not often.
    const gone = new Set(changes.filter(({ type }) => type !== 'voter').map(({ id }) => id));
    const left = new Set([...voters, ...changes.map(({ id }) => id)].filter((id) => !gone.has(id)));
    if (left.size >= 3 || (left.size > 0 && random.chance(0.1))) this.#propose(changes);
  }

  #replace(id: number): void {
    const { random } = this.#parts;
    const nodes = this.#parts.nodes();
    const members = membersOf(this.leader()!.driver!.status().group.configuration);
    const spare = nodes.find((node) => !node.isWiped && !members.includes(node.id)) ?? this.#parts.addNode();
    const changes: MemberChange[] = [{ id, type: 'remove' }];
    if (random.chance(0.8)) changes.push({ id: spare.id, type: random.pick(['voter', 'learner'] as const) });
    this.#propose(changes);
  }

  /** A disk is lost for good, and with it the node's id. */
  #wipe(node: SimNode): void {
    const leader = this.leader();
    if (leader === undefined || this.#changing > 0) return;
    const { group } = leader.driver!.status();
    const { configuration } = group;
    const isLast = isVoter(configuration, node.id) && configuration.voters.length < 3;
    if (isLast || isJoint(configuration) || this.#isChangeUnderWay(group)) return;
    if (this.#parts.nodes().some(({ id, isWiped }) => isWiped && membersOf(configuration).includes(id))) return;
    this.wipes++;
    this.#parts.trace.line(() => `wiped ${node.id} of ${JSON.stringify(leader.driver!.status().group)}`);
    node.crash();
    if (this.#parts.reusesIds) {
      node.forgetAll();
      node.start();
      return;
    }
    node.isWiped = true;
    const { queue, random } = this.#parts;
    const replace = () => {
      const now = this.leader()?.driver?.status().group.configuration;
      if (this.#isStopped || (now !== undefined && !membersOf(now).includes(node.id))) return;
      if (now !== undefined) this.#replace(node.id);
      queue.after(100 + random.below(200), replace);
    };
    queue.after(random.below(300), replace);
  }

  /** Whether some log holds a change of members that its disk does not know to be committed, or the leader not in force. */
  #isChangeUnderWay({ configuration, index }: GroupState): boolean {
    const members = membersOf(configuration).map((id) => this.#node(id)!);
    return members.some(({ isWiped, written, durable, machine }) => {
      if (isWiped) return false;
      const known = Math.max(durable.hardState.commit, machine.durable.group.index);
      return written.entries.some((entry) => entry.kind === 'config' && entry.index > Math.min(known, index));
    });
  }

  #node(id: number): SimNode | undefined {
    return this.#parts.nodes().find((node) => node.id === id);
  }
}
