// Randomness comes in through this interface, so that tests and simulations can replay it.
export const systemRandom = {
    bytes: (count) => globalThis.crypto.getRandomValues(new Uint8Array(count)),
};
/** A name nobody else has: 32 hex digits. */
export function uniqueName(random) {
    return Array.from(random.bytes(16), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
