// The proposals of this node that are in its log and not applied yet, each with who waits for it.
export class Proposals {
    /** By index. A newer proposal at the same index shows that the older one was replaced in the log. */
    #waiting = new Map();
    get size() {
        return this.#waiting.size;
    }
    /** The log took a proposal at this index; at tick `until` its outcome is unknown. */
    add(index, term, until, done) {
        this.#waiting.get(index)?.done({ kind: 'superseded' });
        this.#waiting.set(index, { term, until, done });
    }
    /** These entries have been applied, with these results. */
    applied(entries, results) {
        entries.forEach(({ index, term }, at) => {
            const waiting = this.#waiting.get(index);
            if (waiting === undefined)
                return;
            this.#waiting.delete(index);
            waiting.done(waiting.term === term ? { kind: 'applied', index, result: results[at] } : { kind: 'superseded' });
        });
    }
    /** A snapshot has taken the place of everything up to `index`: what became of it cannot be told. */
    skipped(index) {
        this.#giveUp((at) => at <= index);
    }
    tick(now) {
        this.#giveUp((_, { until }) => until <= now);
    }
    stop() {
        this.#giveUp(() => true);
    }
    #giveUp(which) {
        for (const [index, waiting] of this.#waiting) {
            if (!which(index, waiting))
                continue;
            this.#waiting.delete(index);
            waiting.done({ kind: 'unknown' });
        }
    }
}
