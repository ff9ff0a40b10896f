// Putting many, against calls that are counted and can fail.

import { fromBinary } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import { concatBytes } from '../../src/base/bytes.js';
import { type Digest, hashHex } from '../../src/base/digest.js';
import { CairnError, type ErrorCode, errorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { frameHeaderBytes } from '../../src/base/message-frame.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { type BlobPack, packBlobs } from '../../src/client/blob-pack.js';
import { type PutCalls, type PutItem, type PutOutcome, putMany } from '../../src/client/put-many.js';
import { BatchWriteRequestSchema } from '../../src/gen/cairn/v1/blob_service_pb.js';
import { seededRandom } from '../support/random.js';

/** A server's side, in a map. */
class FakeCalls implements PutCalls {
  readonly blobs = new Map<string, Uint8Array>();
  readonly batches: number[] = [];
  readonly uploads: number[] = [];
  running = 0;
  mostRunning = 0;
  fails: { readonly [hex: string]: ErrorCode } = {};

  async missing(digests: readonly Digest[]): Promise<Digest[]> {
    const asked = new Map(digests.map((digest) => [hashHex(digest.hash), digest]));
    return [...asked].filter(([hex]) => !this.blobs.has(hex)).map(([, digest]) => digest);
  }

  async batchWrite({ digests, frame }: BlobPack): Promise<(boolean | CairnError)[]> {
    const { items } = fromBinary(BatchWriteRequestSchema, frame.subarray(frameHeaderBytes));
    expect(items.map(({ digest }) => digest?.blake3)).toEqual(digests.map(({ hash }) => hash));
    const blobs = items.map(({ data }, i) => ({ digest: digests[i]!, bytes: data }));
    this.batches.push(blobs.reduce((sum, { bytes }) => sum + bytes.length, 0));
    return this.#transfer(() =>
      blobs.map(({ digest, bytes }) => {
        try {
          return this.#store(digest, bytes);
        } catch (error) {
          return error as CairnError;
        }
      }),
    );
  }

  async upload(digest: Digest, source: Uint8Array | AsyncIterable<Uint8Array>): Promise<boolean> {
    const pieces: Uint8Array[] = [];
    for await (const piece of source instanceof Uint8Array ? [source] : source) pieces.push(piece);
    this.uploads.push(digest.size);
    return this.#transfer(() => this.#store(digest, concatBytes(pieces)));
  }

  concurrencyAsked = 0;

  async concurrency(): Promise<number> {
    this.concurrencyAsked++;
    return 3;
  }

  async #transfer<Answer>(work: () => Answer): Promise<Answer> {
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    await new Promise((resolve) => setImmediate(resolve));
    this.running--;
    return work();
  }

  #store(digest: Digest, bytes: Uint8Array): boolean {
    const hex = hashHex(digest.hash);
    if (this.fails[hex] !== undefined) throw new CairnError(this.fails[hex], 'as the test said');
    if (hashHex(digestBlob(bytes).hash) !== hex) throw new CairnError('digest_mismatch', 'other bytes');
    const existed = this.blobs.has(hex);
    this.blobs.set(hex, bytes);
    return existed;
  }
}

interface Named extends PutItem {
  readonly bytes: Uint8Array;
}

let calls: FakeCalls;
let outcomes: Map<PutItem, PutOutcome>;

beforeEach(() => {
  calls = new FakeCalls();
  outcomes = new Map();
});

function item(bytes: Uint8Array): Named {
  return { bytes, digest: digestBlob(bytes), open: () => bytes };
}

function items(count: number, sizeMax: number, seed = 1): Named[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => item(random.bytes(random.between(1, sizeMax))));
}

function run(all: Iterable<PutItem>, signal?: AbortSignal) {
  return putMany(calls, all, {
    signal,
    onOutcome: (which, outcome) => {
      expect(outcomes.has(which)).toBe(false);
      outcomes.set(which, outcome);
    },
  });
}

describe('putMany', () => {
  it('sends what is missing once, small ones together, and settles every item', async () => {
    const all = [...items(3000, 4000), ...items(40, 300_000, 2)];
    const bytes = all.reduce((sum, { digest }) => sum + digest.size, 0);
    expect(await run(all)).toEqual({
      uploadedCount: all.length,
      uploadedBytes: bytes,
      presentCount: 0,
      presentBytes: 0,
      failedCount: 0,
    });
    expect(outcomes.size).toBe(all.length);
    expect(calls.batches.length).toBeLessThan(20);
    expect(Math.max(...calls.batches)).toBeLessThanOrEqual(limits.batchWriteBytesMax);
    expect(Math.min(...calls.uploads)).toBeGreaterThan(limits.batchedBlobBytesMax);
    expect(calls.mostRunning).toBe(3);

    outcomes.clear();
    const [batches, uploads] = [calls.batches.length, calls.uploads.length];
    expect((await run(all)).presentCount).toBe(all.length);
    expect([calls.batches.length, calls.uploads.length]).toEqual([batches, uploads]);
  });

  it('asks how many transfers there may be once, and only when something is to be sent', async () => {
    const all = items(2000, 4000);
    await run(all);
    expect(calls.concurrencyAsked).toBe(1);
    outcomes.clear();
    await run(all);
    await run([]);
    expect(calls.concurrencyAsked).toBe(1);
  });

  it('sends what is missing of a pack, and tells how each blob of it fared', async () => {
    const all = items(300, 2000);
    const [known, unwanted] = [all[7]!, all[9]!];
    calls.blobs.set(hashHex(known.digest.hash), known.bytes);
    calls.fails = { [hashHex(unwanted.digest.hash)]: 'too_large' };
    const blobs = [...all, all[0]!, all[7]!];
    const whole = packBlobs(items(50, 500, 3));
    const told: string[][] = [[], []];
    const missing: Digest[] = [];
    const ended: number[] = [];
    const packs = [packBlobs(blobs), whole].map((pack, number) => ({ pack, number }));
    const summary = await putMany<never, (typeof packs)[number]>(calls, packs, {
      onPackOutcome: ({ number }, index, { status }) => {
        expect(told[number]![index]).toBeUndefined();
        told[number]![index] = status;
      },
      onMissing: (digest) => missing.push(digest),
      onPackEnd: ({ number }) => ended.push(number),
    });
    expect(summary).toMatchObject({ uploadedCount: 298 + 50, presentCount: 3, failedCount: 1 });
    expect(missing).toHaveLength(299 + 50);
    expect(ended.sort()).toEqual([0, 1]);
    const wanted: string[] = blobs.map((blob, i) => (i >= 300 || blob === known ? 'present' : 'uploaded'));
    wanted[9] = 'failed';
    expect(told).toEqual([wanted, whole.digests.map(() => 'uploaded')]);
    expect(calls.batches).toHaveLength(2);
  });

  it('sends nothing of a pack that is all there, and ends all when one of its blobs says so', async () => {
    const all = items(20, 500);
    await run(all);
    const pack = { pack: packBlobs(all) };
    expect(await putMany<never, typeof pack>(calls, [pack], {})).toMatchObject({ presentCount: 20, uploadedCount: 0 });
    expect(calls.batches).toHaveLength(1);
    const other = items(20, 500, 5);
    calls.fails = { [hashHex(other[3]!.digest.hash)]: 'no_space' };
    const putting = putMany<never, typeof pack>(calls, [{ pack: packBlobs(other) }], {});
    await expect(putting.catch((error: unknown) => Promise.reject(errorCode(error)))).rejects.toBe('no_space');
  });

  it('sends equal blobs of one group once', async () => {
    for (const size of [100, 100_000]) {
      outcomes.clear();
      const bytes = seededRandom(size).bytes(size);
      const { uploadedCount, presentCount } = await run(Array.from({ length: 5 }, () => item(bytes)));
      expect({ uploadedCount, presentCount }).toEqual({ uploadedCount: 1, presentCount: 4 });
    }
    expect(calls.batches).toEqual([100]);
    expect(calls.uploads).toEqual([100_000]);
  });

  it('fails an unreadable item alone, and takes an equal one instead', async () => {
    for (const size of [100, 100_000]) {
      outcomes.clear();
      const good = item(seededRandom(size).bytes(size));
      const gone = {
        ...good,
        open: () => {
          throw new Error('no such file');
        },
      };
      const changed = { ...good, open: () => good.bytes.map((byte) => byte ^ 1) };
      const other = item(seededRandom(size + 1).bytes(size));
      const summary = await run([gone, changed, good, other]);
      expect(summary).toMatchObject({ uploadedCount: 2, failedCount: 2 });
      expect(outcomes.get(gone)).toMatchObject({ status: 'failed', error: { code: 'failed_precondition' } });
      expect(outcomes.get(changed)).toMatchObject({ status: 'failed', error: { code: 'digest_mismatch' } });
      expect(outcomes.get(good)).toEqual({ status: 'uploaded' });
    }
  });

  it('notices a small source of another length by itself', async () => {
    const short = item(new Uint8Array(100));
    const summary = await run([{ ...short, open: () => new Uint8Array(99) }]);
    expect(summary.failedCount).toBe(1);
    expect(calls.batches).toEqual([]);
  });

  it.each(['no_space', 'unavailable', 'permission_denied'] as const)(
    'ends all on %s and lets go of the rest',
    async (code) => {
      const all = items(50, 300_000);
      const bad = all.find(({ digest }) => digest.size > limits.batchedBlobBytesMax)!;
      calls.fails = { [hashHex(bad.digest.hash)]: code };
      let closed = false;
      function* source() {
        try {
          for (;;) yield* all;
        } finally {
          closed = true;
        }
      }
      const putting = putMany(calls, source(), {});
      await expect(putting.catch((error: unknown) => Promise.reject(errorCode(error)))).rejects.toBe(code);
      expect(closed).toBe(true);
      expect(calls.running).toBe(0);
    },
  );

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    function* source() {
      for (let i = 0; ; i++) {
        if (i === 5000) stop.abort();
        yield item(Buffer.from(`item ${i}`));
      }
    }
    await expect(run(source(), stop.signal).catch((error: unknown) => Promise.reject(errorCode(error)))).rejects.toBe(
      'canceled',
    );
  });

  it('does not run ahead of what it can send', async () => {
    let taken = 0;
    let most = 0;
    function* source() {
      for (const each of items(20_000, 100)) {
        taken++;
        most = Math.max(most, taken - outcomes.size);
        yield each;
      }
    }
    await run(source());
    expect(most).toBeLessThanOrEqual((limits.putGroupsUnderWayCountMax + 4) * limits.putGroupCountMax);
  });
});
