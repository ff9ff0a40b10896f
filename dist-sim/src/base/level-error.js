// What went wrong in LevelDB, as a CairnError. LevelDB gives system errors as text alone.
import { CairnError } from './errors.js';
const closed = new Set([
    'LEVEL_DATABASE_NOT_OPEN',
    'LEVEL_ITERATOR_NOT_OPEN',
    'LEVEL_SNAPSHOT_NOT_OPEN',
]);
const noSpace = /No space left|quota exceeded/i;
const environment = /Permission denied|Too many open files|Input\/output error|Read-only file system|Cannot allocate/i;
/** `what` begins the sentence. What is no trouble of the machine's is damage: a file missing, or wrong. */
export function levelError(error, what) {
    if (error instanceof CairnError)
        return error;
    const { code, message } = rootCause(error);
    const failed = (as, words) => new CairnError(as, `${what} ${words}: ${message}`, { cause: error });
    if (code === 'LEVEL_LOCKED')
        return failed('unavailable', 'is in use by another process');
    if (closed.has(code))
        return failed('unavailable', 'is closed');
    if (noSpace.test(message))
        return failed('no_space', 'has no space left');
    if (environment.test(message))
        return failed('storage', 'cannot be used');
    return failed('corrupt', 'is damaged');
}
/** abstract-level wraps what went wrong on opening into an error that says only that. */
function rootCause(error) {
    let root = error;
    while (root instanceof Error && root.cause instanceof Error)
        root = root.cause;
    if (!(root instanceof Error))
        return { code: undefined, message: String(root) };
    return { code: 'code' in root ? root.code : undefined, message: root.message };
}
