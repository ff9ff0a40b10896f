// What fuzz tests share: damage done to bytes and texts, a run bounded in time, and what counts as a clean refusal.

import { expect, it } from 'vitest';
import { CairnError, type ErrorCode } from '../../src/base/errors.js';
import { type SeededRandom, seededRandom, testRounds, testSeed } from '../support/random.js';

const interesting = [0, 1, 2, 0x7f, 0x80, 0xff];
const words = [0n, 1n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

/** The bytes with one to four kinds of damage: bits, bytes, whole words, cut short, made longer, moved about. */
export function mutateBytes(random: SeededRandom, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  let damaged = joined(bytes);
  for (let kinds = random.between(1, 4); kinds > 0; kinds--) damaged = damage(random, damaged);
  return damaged;
}

/** Plain bytes of their own: a `Buffer` would behave differently in `slice` and `fill`. */
function joined(...pieces: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(pieces));
}

function damage(random: SeededRandom, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const at = random.below(bytes.length + 1);
  const choice = random.below(8);
  if (choice === 0) return bytes.slice(0, at);
  if (choice === 1) return joined(bytes.subarray(0, at), random.bytes(random.below(20)), bytes.subarray(at));
  if (choice === 2) return joined(bytes.subarray(0, at), bytes.subarray(random.below(bytes.length + 1)));
  if (at === bytes.length) return bytes;
  if (choice === 3) bytes[at]! ^= 1 << random.below(8);
  else if (choice === 4) bytes[at] = random.pick(interesting);
  else if (choice === 5) bytes.fill(random.pick(interesting), at, at + random.below(64));
  else if (choice === 6) bytes.set(random.bytes(Math.min(8, bytes.length - at)), at);
  else if (at + 8 <= bytes.length) new DataView(bytes.buffer).setBigUint64(at, random.pick(words), true);
  return bytes;
}

/** A text near one of the samples, or far from all of them. */
export function mutateText(random: SeededRandom, samples: readonly string[], alphabet: string): string {
  let text = random.chance(0.1) ? '' : random.pick(samples);
  for (let edits = random.between(0, 6); edits > 0; edits--) {
    const at = random.below(text.length + 1);
    const end = random.chance(0.5) ? at : at + random.below(4);
    text = text.slice(0, at) + piece(random, samples, alphabet) + text.slice(end);
  }
  return text;
}

function piece(random: SeededRandom, samples: readonly string[], alphabet: string): string {
  if (random.chance(0.1)) return random.pick(samples);
  if (random.chance(0.05)) return random.pick([...alphabet]).repeat(random.below(2000));
  const letters = Array.from({ length: random.below(4) }, () => random.pick([...alphabet]));
  if (random.chance(0.1)) letters.push(String.fromCodePoint(random.pick([0, 10, 0x7f, 0xe9, 0x2028, 0x1f600, 0xfffd])));
  return letters.join('');
}

export interface FuzzOptions {
  /** Wall clock after which no new round begins. */
  readonly millisecondsMax?: number;
  readonly rounds: number;
}

/**
 * A test of so many rounds, or fewer when time is up. Each round has a generator of its own, and a failure names the seed
 * that repeats that round alone, as the first one.
 */
export function itFuzz(
  name: string,
  { rounds, millisecondsMax = 1500 }: FuzzOptions,
  round: (random: SeededRandom) => void | Promise<void>,
): void {
  it(name, async () => {
    const first = testSeed(name);
    const start = performance.now();
    const factor = testRounds();
    for (let i = 0; i < rounds * factor && performance.now() - start < millisecondsMax * factor; i++) {
      const seed = (first + i) >>> 0;
      try {
        await round(seededRandom(seed));
      } catch (error) {
        throw new Error(`${name}: CAIRN_SEED=${seed} fails`, { cause: error });
      }
    }
    // A decoder that takes minutes for a few bytes hangs, whatever it answers then.
    expect(performance.now() - start).toBeLessThan(20_000 * factor);
  });
}

/** Runs a decoder: its answer, or undefined when it refused cleanly, which is an error of ours with one of these codes. */
export function answerOf<T>(decode: () => T, ...codes: ErrorCode[]): T | undefined {
  try {
    return decode();
  } catch (error) {
    expectRefusal(error, codes);
    return undefined;
  }
}

export async function asyncAnswerOf<T>(decode: () => Promise<T>, ...codes: ErrorCode[]): Promise<T | undefined> {
  try {
    return await decode();
  } catch (error) {
    expectRefusal(error, codes);
    return undefined;
  }
}

function expectRefusal(error: unknown, codes: readonly ErrorCode[]): void {
  if (error instanceof CairnError && codes.includes(error.code)) return;
  throw error;
}
