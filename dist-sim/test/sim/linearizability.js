// Whether a history of operations on one register could have happened one after another, each between its call and its
// return. The search of Wing and Gong with Lowe's memory of what was tried: operations are taken in every possible order, and
// no set of operations with the same resulting value is entered twice. An operation whose outcome is unknown may take effect
// at any time after its call, or never.
/** What an operation makes of the register; undefined when it cannot have seen this value. */
function step(operation, value) {
    if (operation.kind === 'read')
        return operation.value === value ? { value } : undefined;
    if (operation.kind === 'write')
        return { value: operation.value };
    const swaps = operation.from === value;
    if (operation.swapped !== undefined && operation.swapped !== swaps)
        return undefined;
    return { value: swaps ? operation.to : value };
}
/** A register begins without a value. */
export function isLinearizable(history) {
    // What is not known to have happened and would change nothing says nothing.
    const operations = history.filter(({ operation, returned }) => returned !== undefined || operation.kind !== 'read');
    let open = operations.filter(({ returned }) => returned !== undefined).length;
    const head = momentsOf(operations);
    const taken = new Uint32Array(Math.ceil(operations.length / 32));
    const tried = new Set();
    const path = [];
    const returnOf = returnsOf(head);
    let value;
    let moment = head.next;
    while (open > 0) {
        if (!moment.isReturn) {
            const { operation } = moment;
            const after = step(operations[operation].operation, value);
            if (after !== undefined) {
                flip(taken, operation);
                const state = `${taken.join()}:${after.value}`;
                if (!tried.has(state)) {
                    tried.add(state);
                    path.push({ call: moment, value });
                    value = after.value;
                    if (take(moment, returnOf.get(operation)))
                        open--;
                    moment = head.next;
                    continue;
                }
                flip(taken, operation);
            }
            moment = moment.next;
        }
        else {
            // Its operation has to be taken before this, and cannot be: something before it was taken too early.
            const last = path.pop();
            if (last === undefined)
                return false;
            value = last.value;
            flip(taken, last.call.operation);
            if (putBack(last.call, returnOf.get(last.call.operation)))
                open++;
            moment = last.call.next;
        }
    }
    return true;
}
/** All calls and returns in order of time, calls first, behind an empty one. */
function momentsOf(operations) {
    const moments = [];
    operations.forEach(({ called, returned }, operation) => {
        const blank = { operation, previous: undefined, next: undefined };
        moments.push({ at: called, isReturn: false, ...blank });
        if (returned !== undefined)
            moments.push({ at: returned, isReturn: true, ...blank });
    });
    moments.sort((a, b) => a.at - b.at || Number(a.isReturn) - Number(b.isReturn));
    const head = { at: 0, isReturn: false, operation: -1, previous: undefined, next: undefined };
    let last = head;
    for (const moment of moments) {
        last.next = moment;
        moment.previous = last;
        last = moment;
    }
    return head;
}
function returnsOf(head) {
    const returns = new Map();
    for (let at = head.next; at !== undefined; at = at.next)
        if (at.isReturn)
            returns.set(at.operation, at);
    return returns;
}
function take(call, end) {
    unlink(call);
    if (end === undefined)
        return false;
    unlink(end);
    return true;
}
function putBack(call, end) {
    if (end !== undefined)
        link(end);
    link(call);
    return end !== undefined;
}
function unlink({ previous, next }) {
    previous.next = next;
    if (next !== undefined)
        next.previous = previous;
}
function link(moment) {
    moment.previous.next = moment;
    if (moment.next !== undefined)
        moment.next.previous = moment;
}
function flip(bits, at) {
    bits[at >>> 5] ^= 1 << (at & 31);
}
