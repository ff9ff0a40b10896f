// Clients: each has one operation under way at a time, on any node, and writes down what it called, what came back, and when.
// Who does not learn the outcome of a write leaves it open for ever.
import { encodeCommand, registerValue } from './command.js';
import { isLinearizable } from './linearizability.js';
const keys = 3;
export class Clients {
    histories = Array.from({ length: keys }, () => []);
    #queue;
    #random;
    #nodes;
    #thinkMax;
    #underWay = new Set();
    #isStopped = false;
    #nextValue = 1;
    reads = 0;
    writes = 0;
    unknown = 0;
    constructor(queue, random, nodes, count, thinkMax) {
        this.#queue = queue;
        this.#random = random;
        this.#nodes = nodes;
        this.#thinkMax = thinkMax;
        for (let client = 0; client < count; client++)
            this.#later();
    }
    /** No new operations, and no outcomes of those under way: they stay open. */
    stop() {
        this.#isStopped = true;
        for (const { command, called } of this.#underWay)
            this.#recordWrite(command, called, undefined, undefined);
        this.#underWay.clear();
    }
    /** The first register whose history could not have been. */
    broken() {
        const key = this.histories.findIndex((history) => !isLinearizable(history));
        return key === -1 ? undefined : key;
    }
    #later() {
        this.#queue.after(1 + this.#random.below(this.#thinkMax), () => {
            if (!this.#isStopped)
                this.#call();
        });
    }
    #call() {
        const key = this.#random.below(keys);
        const node = this.#random.pick(this.#nodes());
        const kind = this.#random.pick(['read', 'read', 'write', 'cas']);
        if (kind === 'read')
            this.#read(node, key);
        else
            this.#write(node, kind, key, 4);
    }
    #record(key, called, returned, operation) {
        this.histories[key].push({ operation, called, returned });
    }
    #read(node, key) {
        const called = this.#queue.steps;
        const isUp = node.call((driver) => driver.read((outcome) => {
            if (outcome === 'ready') {
                this.reads++;
                const value = registerValue(node.machine.current.registers, key);
                this.#record(key, called, this.#queue.steps, { kind: 'read', value });
            }
            this.#later();
        }));
        if (!isUp)
            this.#later();
    }
    /** Goes to whom a node that is not the leader names, a few times. */
    #write(node, kind, key, attempts) {
        const to = this.#nextValue++;
        const history = this.histories[key];
        const last = history.at(-1)?.operation;
        const guess = last === undefined ? 0 : last.kind === 'cas' ? last.to : last.value;
        const command = { kind, key, from: kind === 'cas' ? (guess ?? 0) : 0, to };
        const padding = this.#random.chance(0.05) ? 500 : this.#random.below(150);
        const version = this.#random.chance(0.1) ? 2 : 1;
        const called = this.#queue.steps;
        const attempt = { command, called };
        const isUp = node.call((driver) => {
            this.#underWay.add(attempt);
            driver.propose(encodeCommand(command, padding), version, (outcome) => {
                if (!this.#underWay.delete(attempt))
                    return;
                const next = outcome.kind === 'refused' && this.#nodes().find(({ id }) => id === outcome.leader);
                if (next && next !== node && attempts > 1) {
                    this.#queue.after(1, () => this.#write(next, kind, key, attempts - 1));
                    return;
                }
                this.#finish(command, called, outcome);
                this.#later();
            });
        });
        if (!isUp)
            this.#later();
    }
    #finish(command, called, outcome) {
        if (outcome.kind === 'refused' || outcome.kind === 'superseded')
            return;
        if (outcome.kind === 'applied') {
            this.writes++;
            this.#recordWrite(command, called, this.#queue.steps, outcome.result);
        }
        else {
            this.unknown++;
            this.#recordWrite(command, called, undefined, undefined);
        }
    }
    #recordWrite(command, called, returned, swapped) {
        const { kind, key, from, to } = command;
        const value = (number) => (number === 0 ? undefined : number);
        if (kind === 'write')
            this.#record(key, called, returned, { kind, value: to });
        else
            this.#record(key, called, returned, { kind, from: value(from), to, swapped });
    }
}
