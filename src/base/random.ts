// Randomness comes in through this interface, so that tests and simulations can replay it.

export interface Random {
  /** So many unpredictable bytes. */
  bytes(count: number): Uint8Array;
}

export const systemRandom: Random = {
  bytes: (count) => globalThis.crypto.getRandomValues(new Uint8Array(count)),
};

/** A name nobody else has: 32 hex digits. */
export function uniqueName(random: Random): string {
  return Array.from(random.bytes(16), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
