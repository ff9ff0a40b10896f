// The reads of this node that wait: first for the leader to say up to where they must see the log applied, one question for
// all that are there; then for that to be applied. A question without an answer is asked again under a new number, since an
// old number's answer might belong to an older question.
export class Reads {
    #retryTicks;
    #nextContext;
    /** After a refusal, not before this tick: who refused is busy, or not there. */
    #askFrom = 0;
    #waiting = [];
    #question;
    /** Answered, to be served when the index is applied. */
    #confirmed = [];
    /** `firstContext`: above any that this node's id has used before, or so far away by chance that it is as good. */
    constructor(retryTicks, firstContext) {
        this.#retryTicks = retryTicks;
        this.#nextContext = firstContext;
    }
    get size() {
        return this.#waiting.length + (this.#question?.reads.length ?? 0);
    }
    add(until, done) {
        this.#waiting.push({ until, done });
    }
    /** Asks for all that wait, unless a question is under way. `ask` answers whether there is anyone to ask. */
    ask(now, ask) {
        if (this.#question !== undefined || this.#waiting.length === 0 || now < this.#askFrom)
            return;
        const context = this.#nextContext++;
        this.#question = { context, askedAt: now, reads: this.#waiting };
        this.#waiting = [];
        if (!ask(context))
            this.#takeBack(now + 1);
    }
    #takeBack(askFrom) {
        this.#askFrom = askFrom;
        this.#waiting = [...(this.#question?.reads ?? []), ...this.#waiting];
        this.#question = undefined;
    }
    /** The answer to a question; `index` undefined: refused. An old question's is ignored. */
    answered(now, context, index) {
        const question = this.#question;
        if (question?.context !== context)
            return;
        if (index === undefined) {
            this.#takeBack(now + 1);
            return;
        }
        this.#question = undefined;
        this.#confirmed.push({ index, reads: question.reads });
    }
    /** Serves what may see the state as of `index`. */
    applied(index) {
        const due = this.#confirmed.filter((confirmed) => confirmed.index <= index);
        if (due.length === 0)
            return;
        this.#confirmed = this.#confirmed.filter((confirmed) => confirmed.index > index);
        for (const { reads } of due)
            for (const { done } of reads)
                done('ready');
    }
    tick(now) {
        if (this.#question !== undefined && now - this.#question.askedAt >= this.#retryTicks)
            this.#takeBack(now);
        const late = ({ until }) => until <= now;
        const given = this.#waiting.filter(late);
        this.#waiting = this.#waiting.filter((read) => !late(read));
        for (const confirmed of this.#confirmed)
            given.push(...confirmed.reads.filter(late));
        this.#confirmed = this.#confirmed
            .map(({ index, reads }) => ({ index, reads: reads.filter((read) => !late(read)) }))
            .filter(({ reads }) => reads.length > 0);
        for (const { done } of given)
            done('unavailable');
    }
    stop() {
        const reads = [
            ...this.#waiting,
            ...(this.#question?.reads ?? []),
            ...this.#confirmed.flatMap(({ reads }) => reads),
        ];
        this.#waiting = [];
        this.#question = undefined;
        this.#confirmed = [];
        for (const { done } of reads)
            done('stopped');
    }
}
