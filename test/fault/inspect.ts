// Everything that must hold in a store nobody is using, checked from outside and against the files on its disk.

import { expect } from 'vitest';
import { hashHex } from '../../src/base/digest.js';
import { blobs, freshBlobs, readWhole, type TestBlob } from './blobs.js';
import type { Allowed, Presence } from './ledger.js';
import type { Machine } from './machine.js';

const all = [...blobs, ...freshBlobs];

/** What the store says of each blob. */
export async function presences({ store }: Machine, of: readonly TestBlob[] = blobs): Promise<Presence[]> {
  const stats = await store.stat(of.map(({ digest }) => digest.hash));
  return stats.map((stat, i) => {
    if (stat === undefined) return 'absent';
    expect(stat.size).toBe(of[i]!.digest.size);
    return 'present';
  });
}

/**
 * Every blob is as is allowed; whatever is visible reads back whole; the list and the usage agree with that; no file lies
 * about that no blob needs. Answers which blobs there are.
 */
export async function inspect(machine: Machine, allowed: readonly Allowed[], label: string): Promise<Presence[]> {
  const { store } = machine;
  const found = await presences(machine);
  const wrong = found.flatMap((presence, i) =>
    allowed[i] === 'either' || allowed[i] === presence ? [] : [`blob ${i} is ${presence}`],
  );
  expect(wrong.join(), label).toBe('');
  const visible = all.filter((_, i) => found[i] === 'present');
  const fresh = await presences(machine, freshBlobs);
  visible.push(...freshBlobs.filter((_, i) => fresh[i] === 'present'));
  for (const { digest, bytes, hex } of visible) await expectWhole(machine, digest.hash, bytes, `${label}, ${hex}`);
  const listed = await store.list({ limit: 1000 });
  const want = visible.map(({ hex, digest }) => `${hex} ${digest.size}`).sort();
  expect(
    listed.map(({ hash, size }) => `${hashHex(hash)} ${size}`),
    label,
  ).toEqual(want);
  const bytes = visible.reduce((sum, { digest }) => sum + digest.size, 0);
  expect(await store.usage(), label).toEqual({ blobs: visible.length, bytes });
  return found;
}

async function expectWhole({ store }: Machine, hash: TestBlob['digest']['hash'], bytes: Uint8Array, what: string) {
  const read = await readWhole(store, hash).catch((error: unknown) => {
    throw new Error(`${what} cannot be read`, { cause: error });
  });
  expect(read !== undefined && Buffer.compare(read, bytes) === 0, what).toBe(true);
}

/** Nothing unfinished in `temp/`, and one file for each large blob that is there. */
export async function inspectFiles(machine: Machine, label: string): Promise<void> {
  expect(machine.filesIn('temp'), label).toEqual([]);
  const here = await presences(machine, all);
  const large = all.filter(({ digest }, i) => here[i] === 'present' && digest.size > 65_536).map(({ hex }) => hex);
  const files = machine.filesIn('large').map((path) => path.slice(3, 67));
  expect(files, label).toEqual(large.sort());
}
