// The name of a cluster: made up once, by whoever comes first, and kept in its metadata.

import { type Random, uniqueName } from '../base/random.js';
import { absent, textKey } from '../meta/keys.js';
import type { KvStore } from '../meta/kv.js';

const key = textKey('cluster/id');

/** The same for everybody with this metadata, for ever. */
export async function ensureClusterId(kv: KvStore, random: Random): Promise<string> {
  const known = await kv.get(key);
  if (known !== undefined) return new TextDecoder().decode(known.value);
  const value = textKey(`cairn-${uniqueName(random).slice(0, 12)}`);
  const { succeeded } = await kv.txn({ compares: [absent(key)], success: [{ kind: 'put', key, value }] });
  return succeeded ? new TextDecoder().decode(value) : ensureClusterId(kv, random);
}
