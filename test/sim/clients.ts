// Clients: each has one operation under way at a time, on any node, and writes down what it called, what came back, and when.
// Who does not learn the outcome of a write leaves it open for ever.

import type { ProposalOutcome } from '../../src/raft/driver-parts.js';
import type { SeededRandom } from '../support/random.js';
import { Violation } from './checks.js';
import { type Command, encodeCommand, registerValue } from './command.js';
import type { EventQueue } from './event-queue.js';
import type { RegisterOperation } from './linearizability.js';
import { type HistoryOperation, isLinearizable } from './linearizability.js';
import type { SimNode } from './sim-node.js';

const keys = 3;

export class Clients {
  readonly histories: HistoryOperation[][] = Array.from({ length: keys }, () => []);
  readonly #queue: EventQueue;
  readonly #random: SeededRandom;
  readonly #nodes: () => readonly SimNode[];
  readonly #thinkMax: number;
  readonly #underWay = new Set<{ readonly command: Command; readonly called: number }>();
  #isStopped = false;
  #nextValue = 1;
  /** The highest index of a write that a client knows to be done. */
  #acknowledged = 0;
  reads = 0;
  writes = 0;
  unknown = 0;

  constructor(
    queue: EventQueue,
    random: SeededRandom,
    nodes: () => readonly SimNode[],
    count: number,
    thinkMax: number,
  ) {
    this.#queue = queue;
    this.#random = random;
    this.#nodes = nodes;
    this.#thinkMax = thinkMax;
    for (let client = 0; client < count; client++) this.#later();
  }

  /** No new operations, and no outcomes of those under way: they stay open. */
  stop(): void {
    this.#isStopped = true;
    for (const { command, called } of this.#underWay) this.#recordWrite(command, called, undefined, undefined);
    this.#underWay.clear();
  }

  /** The first register whose history could not have been. */
  broken(): number | undefined {
    const key = this.histories.findIndex((history) => !isLinearizable(history));
    return key === -1 ? undefined : key;
  }

  #later(): void {
    this.#queue.after(1 + this.#random.below(this.#thinkMax), () => {
      if (!this.#isStopped) this.#call();
    });
  }

  #call(): void {
    const key = this.#random.below(keys);
    const node = this.#random.pick(this.#nodes());
    const kind = this.#random.pick(['read', 'read', 'write', 'cas'] as const);
    if (kind === 'read') this.#read(node, key);
    else this.#write(node, kind, key, 4);
  }

  #record(key: number, called: number, returned: number | undefined, operation: RegisterOperation): void {
    this.histories[key]!.push({ operation, called, returned });
  }

  #read(node: SimNode, key: number): void {
    const called = this.#queue.steps;
    const acknowledged = this.#acknowledged;
    const isUp = node.call((driver) =>
      driver.read((outcome) => {
        if (outcome === 'ready') {
          const { index } = node.machine.current.group;
          if (index < acknowledged) throw new Violation('reads are fresh', `node ${node.id} reads at ${index}`);
          this.reads++;
          const value = registerValue(node.machine.current.registers, key);
          this.#record(key, called, this.#queue.steps, { kind: 'read', value });
        }
        this.#later();
      }),
    );
    if (!isUp) this.#later();
  }

  /** Goes to whom a node that is not the leader names, a few times. */
  #write(node: SimNode, kind: 'write' | 'cas', key: number, attempts: number): void {
    const to = this.#nextValue++;
    const history = this.histories[key]!;
    const last = history.at(-1)?.operation;
    const guess = last === undefined ? 0 : last.kind === 'cas' ? last.to : last.value;
    const command: Command = { kind, key, from: kind === 'cas' ? (guess ?? 0) : 0, to };
    const padding = this.#random.chance(0.05) ? 500 : this.#random.below(150);
    const version = this.#random.chance(0.1) ? 2 : 1;
    const called = this.#queue.steps;
    const attempt = { command, called };
    const isUp = node.call((driver) => {
      this.#underWay.add(attempt);
      driver.propose(encodeCommand(command, padding), version, (outcome) => {
        if (!this.#underWay.delete(attempt)) return;
        const next = outcome.kind === 'refused' && this.#nodes().find(({ id }) => id === outcome.leader);
        if (next && next !== node && attempts > 1) {
          this.#queue.after(1, () => this.#write(next, kind, key, attempts - 1));
          return;
        }
        this.#finish(command, called, outcome);
        this.#later();
      });
    });
    if (!isUp) this.#later();
  }

  #finish(command: Command, called: number, outcome: ProposalOutcome<boolean>): void {
    if (outcome.kind === 'refused' || outcome.kind === 'superseded') return;
    if (outcome.kind === 'applied') {
      this.writes++;
      this.#acknowledged = Math.max(this.#acknowledged, outcome.index);
      this.#recordWrite(command, called, this.#queue.steps, outcome.result);
    } else {
      this.unknown++;
      this.#recordWrite(command, called, undefined, undefined);
    }
  }

  #recordWrite(command: Command, called: number, returned: number | undefined, swapped: boolean | undefined): void {
    const { kind, key, from, to } = command;
    const value = (number: number) => (number === 0 ? undefined : number);
    if (kind === 'write') this.#record(key, called, returned, { kind, value: to });
    else this.#record(key, called, returned, { kind, from: value(from), to, swapped });
  }
}
