// Seeded randomness for tests: the same seed gives the same run. `testSeed` chooses and prints the seed, so that a failed
// run can be repeated with CAIRN_SEED=<seed>; CAIRN_ROUNDS=<n> makes random tests longer.
/** The seed of this run: from CAIRN_SEED, otherwise a new one. Printed under the test's name. */
export function testSeed(name) {
    const given = process.env.CAIRN_SEED;
    const seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given) >>> 0;
    process.stdout.write(`${name}: CAIRN_SEED=${seed}\n`);
    return seed;
}
/** How many times over a random test runs its rounds: 1 unless CAIRN_ROUNDS says more. */
export function testRounds() {
    return Math.max(1, Number(process.env.CAIRN_ROUNDS ?? 1) || 1);
}
/** xoshiro128** by Blackman and Vigna, its state spread from the seed by splitmix32. */
export function seededRandom(seed) {
    let spread = seed >>> 0;
    const splitmix = () => {
        spread = (spread + 0x9e3779b9) | 0;
        let z = spread;
        z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
        z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
        return (z ^ (z >>> 15)) >>> 0;
    };
    let a = splitmix();
    let b = splitmix();
    let c = splitmix();
    let d = splitmix();
    const rotate = (x, bits) => (x << bits) | (x >>> (32 - bits));
    const next = () => {
        const word = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
        const t = b << 9;
        c ^= a;
        d ^= b;
        b ^= c;
        a ^= d;
        c ^= t;
        d = rotate(d, 11);
        return word;
    };
    const below = (end) => Math.floor((next() / 2 ** 32) * end);
    return {
        seed,
        bytes(count) {
            const words = new Uint32Array(Math.ceil(count / 4));
            for (let i = 0; i < words.length; i++)
                words[i] = next();
            return new Uint8Array(words.buffer, 0, count);
        },
        below,
        between: (min, max) => min + below(max - min + 1),
        chance: (probability) => next() / 2 ** 32 < probability,
        pick: (items) => items[below(items.length)],
    };
}
/** The bytes cut at random places, empty pieces among them. */
export function randomSplit(random, bytes, pieceBytesMax) {
    const pieces = [];
    for (let at = 0; at < bytes.length;) {
        const end = Math.min(bytes.length, at + random.between(0, pieceBytesMax));
        pieces.push(bytes.subarray(at, end));
        at = end;
    }
    return pieces;
}
