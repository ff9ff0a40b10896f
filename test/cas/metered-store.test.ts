// What MeteredStore reports of each operation. That it changes nothing is for the conformance suite.

import { describe, expect, it } from 'vitest';
import type { BlobStore } from '../../src/base/blob-store.js';
import type { Clock } from '../../src/base/clock.js';
import { CairnError } from '../../src/base/errors.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { MeteredStore, type StoreOperation } from '../../src/cas/metered-store.js';

/** Each look at the clock is 5 ms after the one before. */
function steppingClock(): Clock {
  let now = 0;
  const step = () => {
    now += 5;
    return now;
  };
  return { now: step, monotonic: step, after: () => () => {} };
}

function metered(store: BlobStore = new MemoryStore()) {
  const seen: StoreOperation[] = [];
  const subject = new MeteredStore({ store, clock: steppingClock(), observe: (operation) => seen.push(operation) });
  return { subject, seen };
}

const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
const { hash } = digestBlob(bytes);

describe('MeteredStore', () => {
  it('reports each operation once, with its time and bytes', async () => {
    const { subject, seen } = metered();
    await subject.write(bytes);
    await subject.stat([hash]);
    const handle = await subject.open(hash);
    await handle!.read({ start: 10, end: 30 });
    await handle!.close();
    await subject.list({ limit: 5 });
    await subject.usage();
    await subject.delete([hash]);
    await subject.open(hash);
    const report = (name: StoreOperation['name'], carried = 0) => ({
      name,
      milliseconds: 5,
      outcome: 'ok',
      bytes: carried,
    });
    expect(seen).toEqual([
      report('write', 100),
      report('stat'),
      report('open'),
      report('read', 20),
      report('list'),
      report('usage'),
      report('delete'),
      report('open'),
    ]);
  });

  it('reports many blobs written together as one operation', async () => {
    const { subject, seen } = metered();
    const blob = { digest: digestBlob(bytes), bytes };
    const wrong = { digest: blob.digest, bytes: bytes.subarray(1) };
    await subject.writeMany([blob, blob]);
    await subject.writeMany([blob, wrong]);
    const report = { name: 'write_many', milliseconds: 5 };
    expect(seen).toEqual([
      { ...report, outcome: 'ok', bytes: 200 },
      { ...report, outcome: 'digest_mismatch', bytes: 100 },
    ]);
  });

  it('reports the code of what failed, and lets the error out', async () => {
    const { subject, seen } = metered();
    const wrong = digestBlob(new Uint8Array(3));
    await expect(subject.write(bytes, { expect: wrong })).rejects.toMatchObject({ code: 'digest_mismatch' });
    await subject.write(bytes);
    const handle = await subject.open(hash);
    await handle!.close();
    await expect(handle!.read({ start: 0, end: 1 })).rejects.toThrow();
    await subject.close();
    await expect(subject.stat([hash])).rejects.toMatchObject({ code: 'unavailable' });
    expect(seen.map(({ name, outcome, bytes: carried }) => [name, outcome, carried])).toEqual([
      ['write', 'digest_mismatch', 0],
      ['write', 'ok', 100],
      ['open', 'ok', 0],
      ['read', 'internal', 0],
      ['stat', 'unavailable', 0],
    ]);
  });

  it('reports what throws before it answers a promise', async () => {
    const broken = new MemoryStore();
    broken.list = () => {
      throw new CairnError('storage', 'broken');
    };
    const { subject, seen } = metered(broken);
    await expect(subject.list({ limit: 1 })).rejects.toMatchObject({ code: 'storage' });
    expect(seen).toMatchObject([{ name: 'list', outcome: 'storage' }]);
  });
});
