// The question that starts every sync: which of these are not here? Asked in slices, so that a long list never holds the
// event loop; between two slices everybody else has a turn.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BlobStore } from '../../base/blob-store.js';
import { digestKey } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { Digest as DigestMessage } from '../../gen/zako/v1/digest/digest_pb.js';
import { concurrently } from './concurrently.js';
import { fromDigestMessage } from './digest-message.js';

export interface MissingDigestsParts {
  readonly store: BlobStore;
  /** Slices looked up at once. */
  readonly negotiateConcurrency: number;
}

/**
 * The digests that no blob has, in the order asked, each once. A blob of that hash with another size is no match.
 * `invalid_argument` for a malformed digest, `too_large` for more than `digestsPerRequestCountMax`.
 */
export async function missingDigests(
  parts: MissingDigestsParts,
  asked: readonly DigestMessage[],
  signal: AbortSignal,
): Promise<DigestMessage[]> {
  refuseTooMany(asked.length, limits.digestsPerRequestCountMax, 'digests');
  // Slices that are looked up at once share one turn of the event loop.
  const sliceCount = Math.ceil(limits.lookupSliceCountMax / parts.negotiateConcurrency);
  const slices: (readonly DigestMessage[])[] = [];
  for (let start = 0; start < asked.length; start += sliceCount) slices.push(asked.slice(start, start + sliceCount));
  const found = await concurrently(slices, parts.negotiateConcurrency, signal, async (slice, index) => {
    if (index > 0) await nextTurn();
    return missingInSlice(parts.store, slice);
  });
  const seen = new Set<string>();
  const missing: DigestMessage[] = [];
  for (const [index, slice] of found.entries()) {
    if (index % parts.negotiateConcurrency === parts.negotiateConcurrency - 1) await nextTurn();
    for (const { message, key } of slice) {
      if (seen.has(key)) continue;
      seen.add(key);
      missing.push(message);
    }
  }
  return missing;
}

interface Missing {
  readonly message: DigestMessage;
  readonly key: string;
}

async function missingInSlice(store: BlobStore, slice: readonly DigestMessage[]): Promise<Missing[]> {
  const digests = slice.map(fromDigestMessage);
  const stats = await store.stat(digests.map(({ hash }) => hash));
  const missing: Missing[] = [];
  for (const [index, digest] of digests.entries()) {
    if (stats[index]?.size !== digest.size) missing.push({ message: slice[index]!, key: digestKey(digest) });
  }
  return missing;
}

/** `too_large` when a request lists more than it may. */
export function refuseTooMany(count: number, countMax: number, things: string): void {
  if (count > countMax) throw new CairnError('too_large', `${count} ${things} in one request, at most ${countMax}`);
}
