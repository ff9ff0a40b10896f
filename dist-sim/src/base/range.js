// Runs of bytes inside a blob, resolved against its size once, at the edge.
import { CairnError } from './errors.js';
const uint64End = 1n << 64n;
/**
 * Resolves a start and an optional length against a blob's size. An absent length reaches to the end; `start === size`
 * and a length of 0 give an empty range. `out_of_range` when any part lies outside the blob.
 */
export function resolveRange(size, start, length) {
    const first = BigInt(start);
    const count = length === undefined ? BigInt(size) - first : BigInt(length);
    if (first < 0n || first > BigInt(size)) {
        throw new CairnError('out_of_range', `start ${first} lies outside the blob of ${size} bytes`);
    }
    if (count < 0n || first + count >= uint64End || first + count > BigInt(size)) {
        throw new CairnError('out_of_range', `${count} bytes from ${first} end outside the blob of ${size} bytes`);
    }
    return { start: Number(first), end: Number(first + count) };
}
