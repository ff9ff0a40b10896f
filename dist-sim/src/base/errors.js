// The one error class. Every failure a caller could meet has a code from this closed list; the words are free.
// Nothing here knows of transports: faces translate codes in `api/error-map.ts`, and clients translate them back.
export class CairnError extends Error {
    code;
    name = 'CairnError';
    subject;
    constructor(code, message, { subject, ...options } = {}) {
        super(message, options);
        this.code = code;
        this.subject = subject;
    }
}
/** The error's own code when it has one; `internal` for anything that was not meant to be seen by a caller. */
export function errorCode(error) {
    return error instanceof CairnError ? error.code : 'internal';
}
/** Ends the process's current path when something the code itself guarantees does not hold. */
export function assert(condition, message) {
    if (!condition)
        throw new Error(`assertion failed: ${message}`);
}
