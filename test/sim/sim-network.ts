// The network: it loses, repeats, delays and reorders messages, and cuts links, in one direction or both.

import type { Message } from '../../src/raft/message.js';
import type { SeededRandom } from '../support/random.js';
import type { EventQueue } from './event-queue.js';

export interface NetworkFaults {
  readonly loss: number;
  readonly repetition: number;
  /** Chance that a message takes much longer than others. */
  readonly delay: number;
  readonly delayMax: number;
}

export const noFaults: NetworkFaults = { loss: 0, repetition: 0, delay: 0, delayMax: 0 };

export class SimNetwork {
  faults: NetworkFaults = noFaults;
  readonly #queue: EventQueue;
  readonly #random: SeededRandom;
  readonly #deliver: (message: Message) => void;
  /** Links that are cut, as `from * 1000 + to`. */
  readonly #cut = new Set<number>();
  readonly #held = new Map<number, { readonly until: number; readonly delay: number }>();

  constructor(queue: EventQueue, random: SeededRandom, deliver: (message: Message) => void) {
    this.#queue = queue;
    this.#random = random;
    this.#deliver = deliver;
  }

  /** Until this time, what is sent to a node takes so much longer. */
  holdUp(to: number, until: number, delay: number): void {
    this.#held.set(to, { until, delay });
  }

  cut(from: number, to: number): void {
    this.#cut.add(from * 1000 + to);
  }

  heal(): void {
    this.#cut.clear();
  }

  isCut(from: number, to: number): boolean {
    return this.#cut.has(from * 1000 + to);
  }

  send(message: Message): void {
    if (this.#random.chance(this.faults.loss)) return;
    const held = this.#held.get(message.to);
    const late = held !== undefined && this.#queue.now < held.until ? held.delay : 0;
    const copies = this.#random.chance(this.faults.repetition) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      this.#queue.after(this.delay() + late, () => {
        if (!this.isCut(message.from, message.to)) this.#deliver(message);
      });
    }
  }

  delay(): number {
    const { delay, delayMax } = this.faults;
    return 1 + this.#random.below(4) + (this.#random.chance(delay) ? this.#random.below(delayMax) : 0);
  }
}
