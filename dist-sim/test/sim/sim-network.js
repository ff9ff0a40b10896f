// The network: it loses, repeats, delays and reorders messages, and cuts links, in one direction or both.
export const noFaults = { loss: 0, repetition: 0, delay: 0, delayMax: 0 };
export class SimNetwork {
    faults = noFaults;
    #queue;
    #random;
    #deliver;
    /** Links that are cut, as `from * 1000 + to`. */
    #cut = new Set();
    constructor(queue, random, deliver) {
        this.#queue = queue;
        this.#random = random;
        this.#deliver = deliver;
    }
    cut(from, to) {
        this.#cut.add(from * 1000 + to);
    }
    heal() {
        this.#cut.clear();
    }
    isCut(from, to) {
        return this.#cut.has(from * 1000 + to);
    }
    send(message) {
        if (this.#random.chance(this.faults.loss))
            return;
        const copies = this.#random.chance(this.faults.repetition) ? 2 : 1;
        for (let copy = 0; copy < copies; copy++) {
            this.#queue.after(this.delay(), () => {
                if (!this.isCut(message.from, message.to))
                    this.#deliver(message);
            });
        }
    }
    delay() {
        const { delay, delayMax } = this.faults;
        return 1 + this.#random.below(4) + (this.#random.chance(delay) ? this.#random.below(delayMax) : 0);
    }
}
