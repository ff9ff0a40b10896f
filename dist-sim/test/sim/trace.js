// What happened, as one number, and on request as lines. Two runs of one seed must end with the same number.
export class Trace {
    #hash = 0x811c9dc5;
    /** The newest lines, if they are wanted. */
    #lines = [];
    #linesMax;
    constructor(linesMax) {
        this.#linesMax = linesMax;
    }
    note(...numbers) {
        for (const number of numbers)
            this.#hash = Math.imul(this.#hash ^ (number | 0), 0x01000193) ^ (this.#hash >>> 15);
    }
    /** `line` is made only if lines are wanted. */
    line(line) {
        if (this.#linesMax === 0)
            return;
        this.#lines.push(line());
        if (this.#lines.length > 2 * this.#linesMax)
            this.#lines.splice(0, this.#linesMax);
    }
    get hash() {
        return (this.#hash >>> 0).toString(16).padStart(8, '0');
    }
    get lines() {
        return this.#lines.slice(-this.#linesMax);
    }
}
const fingerprints = new WeakMap();
/** A number for what an entry says, its place aside. */
export function fingerprint(entry) {
    let hash = fingerprints.get(entry);
    if (hash === undefined) {
        hash = Math.imul(entry.kind.length + 31 * entry.version, 0x9e3779b1) | 0;
        for (const byte of entry.data)
            hash = Math.imul(hash ^ byte, 0x01000193) | 0;
        fingerprints.set(entry, hash);
    }
    return hash;
}
