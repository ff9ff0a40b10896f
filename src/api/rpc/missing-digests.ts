// The question that starts every sync: which of these are not here? Asked in slices, so that a long list never holds the
// event loop; between two slices everybody else has a turn.

import type { BlobStore } from '../../base/blob-store.js';
import { type Digest, digestKey, hashKey } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { TurnBudget } from '../../base/node/turn-budget.js';
import type { Digest as DigestMessage } from '../../gen/zako/v1/digest/digest_pb.js';
import { concurrently } from './concurrently.js';
import { fromDigestMessage } from './digest-message.js';

export interface MissingDigestsParts {
  readonly store: BlobStore;
  /** Slices looked up at once. */
  readonly negotiateConcurrency: number;
  /** Digests that all calls together look up in one turn of the event loop. */
  readonly lookups: TurnBudget;
}

/** Digests in the form in which they were asked; each is made when its turn comes. */
export interface AskedDigests {
  readonly count: number;
  /** `invalid_argument` for a malformed one. */
  at(index: number): Digest;
}

/** The messages of those that no blob has, in the order asked, each once. Errors as of `missingIndexes`. */
export async function missingDigests(
  parts: MissingDigestsParts,
  asked: readonly DigestMessage[],
  signal: AbortSignal,
): Promise<DigestMessage[]> {
  const digests = { count: asked.length, at: (index: number) => fromDigestMessage(asked[index]) };
  const missing = await missingIndexes(parts, digests, signal);
  return missing.map((index) => asked[index]!);
}

/**
 * Where in the list the digests are that no blob has, ascending, each digest once. A blob of that hash with another size is
 * no match. `invalid_argument` for a malformed digest, `too_large` for more than `digestsPerRequestCountMax`.
 */
export async function missingIndexes(
  { store, negotiateConcurrency, lookups }: MissingDigestsParts,
  asked: AskedDigests,
  signal: AbortSignal,
): Promise<number[]> {
  refuseTooMany(asked.count, limits.digestsPerRequestCountMax, 'digests');
  // Slices that are looked up at once share one turn of the event loop.
  const sliceCount = Math.ceil(limits.lookupSliceCountMax / negotiateConcurrency);
  const starts: number[] = [];
  for (let start = 0; start < asked.count; start += sliceCount) starts.push(start);
  const found = await concurrently(starts, negotiateConcurrency, signal, async (start) => {
    const end = Math.min(asked.count, start + sliceCount);
    await lookups.take(end - start);
    return missingInSlice(store, asked, start, end);
  });
  const seen = new SeenDigests();
  const missing: number[] = [];
  for (const slice of found) {
    await lookups.take(slice.length);
    for (const index of slice) if (seen.add(asked.at(index))) missing.push(index);
  }
  return missing;
}

/** Where they are in the list. Not the digests as well: the collector would copy them all while the others are looked up. */
async function missingInSlice(store: BlobStore, asked: AskedDigests, start: number, end: number): Promise<number[]> {
  const digests: Digest[] = [];
  for (let index = start; index < end; index++) digests.push(asked.at(index));
  const stats = await store.stat(digests.map(({ hash }) => hash));
  const missing: number[] = [];
  for (let i = 0; i < digests.length; i++) if (stats[i]?.size !== digests[i]!.size) missing.push(start + i);
  return missing;
}

/** Digests met before. Hardly ever does a list name one hash with two sizes, and a hash alone makes the cheaper key. */
class SeenDigests {
  readonly #sizes = new Map<string, number>();
  readonly #others = new Set<string>();

  /** False when it was there. */
  add(digest: Digest): boolean {
    const key = hashKey(digest.hash);
    const size = this.#sizes.get(key);
    if (size === undefined) {
      this.#sizes.set(key, digest.size);
      return true;
    }
    if (size === digest.size) return false;
    const countBefore = this.#others.size;
    return this.#others.add(digestKey(digest)).size > countBefore;
  }
}

/** `too_large` when a request lists more than it may. */
export function refuseTooMany(count: number, countMax: number, things: string): void {
  if (count > countMax) throw new CairnError('too_large', `${count} ${things} in one request, at most ${countMax}`);
}
