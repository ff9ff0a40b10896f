// The keys that tokens are signed with, as they lie in the metadata: the one in use, and those before it that are good for a
// while yet. A key that is exchanged because it may be known takes all logins and tokens with it, records included, so that
// they are void also on servers that have not heard of the new one.

import type { Clock } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { Random } from '../../base/random.js';
import { absent, prefixRange, textKey, unchanged } from '../../meta/keys.js';
import type { KvStore } from '../../meta/kv.js';
import { decodeRecord, encodeRecord, keyRecord, signingKeyKey } from './account-records.js';

export interface SigningKeys {
  readonly current: Uint8Array;
  /** The latest first; `until` in milliseconds of Unix time. */
  readonly earlier: readonly { readonly key: Uint8Array; readonly until: number }[];
}

export interface SigningKeysParts {
  readonly kv: KvStore;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
}

/** Makes the first key when there is none. */
export async function openSigningKeys({ kv, random }: Pick<SigningKeysParts, 'kv' | 'random'>): Promise<SigningKeys> {
  const stored = await kv.get(signingKeyKey);
  if (stored !== undefined) return decodeSigningKeys(stored.value);
  const value = encodeRecord(keyRecord, { version: 1, key: newKey(random) });
  await kv.txn({ compares: [absent(signingKeyKey)], success: [{ kind: 'put', key: signingKeyKey, value }] });
  // Another node may have been first.
  return openSigningKeys({ kv, random });
}

function decodeSigningKeys(value: Uint8Array): SigningKeys {
  const { key, earlier = [] } = decodeRecord(keyRecord, value);
  return {
    current: Buffer.from(key, 'base64'),
    earlier: earlier.map(({ key, until }) => ({ key: Buffer.from(key, 'base64'), until })),
  };
}

/**
 * Signs with a new key from now on. Earlier keys are good for `overlapSeconds` more; with 0 all logins and tokens end.
 * `invalid_argument` for a time that cannot be, `no_space` when too many keys are still good, `conflict` when others rotate.
 */
export async function rotateSigningKey(parts: SigningKeysParts, overlapSeconds: number): Promise<void> {
  const { kv, clock, random } = parts;
  if (overlapSeconds < 0 || overlapSeconds > limits.signingKeyOverlapSecondsMax) {
    throw new CairnError('invalid_argument', `an earlier key cannot be good for ${overlapSeconds} seconds more`);
  }
  const stored = await kv.get(signingKeyKey);
  if (stored === undefined) throw new CairnError('conflict', 'somebody has taken the signing key away');
  const { key: current, earlier = [] } = decodeRecord(keyRecord, stored.value);
  const now = clock.now();
  const until = now + overlapSeconds * 1000;
  const kept = [{ key: current, until }, ...earlier].filter((each) => each.until > now);
  if (kept.length > limits.signingKeysEarlierCountMax) {
    throw new CairnError(
      'no_space',
      `${kept.length - 1} earlier keys are still good: rotate without an overlap, or wait`,
    );
  }
  const record = { version: 1 as const, key: newKey(random), ...(overlapSeconds > 0 && { earlier: kept }) };
  const { succeeded, revision } = await kv.txn({
    compares: [unchanged(signingKeyKey, stored)],
    success: [{ kind: 'put', key: signingKeyKey, value: encodeRecord(keyRecord, record) }],
  });
  if (!succeeded) throw new CairnError('conflict', 'the signing key was exchanged meanwhile');
  if (overlapSeconds === 0) for (const prefix of ['auth/login/', 'auth/token/']) await endBefore(kv, prefix, revision);
}

/** Deletes what was last written before a revision. */
async function endBefore(kv: KvStore, prefix: string, revision: number): Promise<void> {
  for (let after: Uint8Array | undefined; ; ) {
    const { items, more } = await kv.range(prefixRange(textKey(prefix)), { after, limit: limits.kvOperationsCountMax });
    const success = items
      .filter((item) => item.revision < revision)
      .map(({ key }) => ({ kind: 'delete', range: { start: key } }) as const);
    if (success.length > 0) await kv.txn({ success });
    after = items.at(-1)?.key;
    if (!more || after === undefined) return;
  }
}

function newKey(random: Random): string {
  return Buffer.from(random.bytes(32)).toString('base64');
}
