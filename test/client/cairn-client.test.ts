// The client over a real server: every method, its limits, and its errors.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Digest, emptyDigest, toDigest } from '../../src/base/digest.js';
import { errorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import type { CairnClient } from '../../src/client/cairn-client.js';
import { connect } from '../../src/client/client.js';
import { seededRandom } from '../support/random.js';
import { type Served, serve, WatchedStore } from '../support/served.js';

let store: WatchedStore;
let served: Served;
let client: CairnClient;

beforeEach(async () => {
  store = new WatchedStore();
  served = await serve(store);
  client = connect(served.url);
});

afterEach(async () => {
  client.close();
  await served.server.close();
});

function blob(size: number, seed = size): Uint8Array {
  return seededRandom(seed + 1).bytes(size);
}

async function codeOf(operation: Promise<unknown>): Promise<string> {
  return operation.then(
    () => 'ok',
    (error: unknown) => errorCode(error),
  );
}

async function read(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all = [];
  for await (const piece of pieces) all.push(Buffer.from(piece));
  return Buffer.concat(all);
}

async function* inPieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.slice(at, at + pieceBytes);
}

const sizes = [0, 1, 1000, limits.batchedBlobBytesMax, limits.batchedBlobBytesMax + 1, 5_000_000];

describe('put and get', () => {
  it.each(sizes)('brings %i bytes back as they were', async (size) => {
    const bytes = blob(size);
    const { digest, existed } = await client.put(bytes);
    expect(digest).toEqual(digestBlob(bytes));
    expect(existed).toBe(size === 0);
    expect(Buffer.compare(await read(client.get(digest)), bytes)).toBe(0);
    expect(Buffer.compare(await read(client.get(digest.hash)), bytes)).toBe(0);
    expect((await client.put(bytes)).existed).toBe(true);
    expect((await client.put(inPieces(bytes, 300_000), { expect: digest })).existed).toBe(true);
  });

  it('takes a stream with or without its digest', async () => {
    const bytes = blob(3_000_000);
    let sent = 0;
    const onSent = (count: number) => {
      sent += count;
    };
    expect((await client.put(inPieces(bytes, 70_000), { expect: digestBlob(bytes), onSent })).existed).toBe(false);
    expect(sent).toBe(bytes.length);
    const other = blob(200_000);
    expect((await client.put(inPieces(other, 70_000))).digest).toEqual(digestBlob(other));
    expect(Buffer.compare(await read(client.get(digestBlob(other))), other)).toBe(0);
  });

  it('reads ranges', async () => {
    const bytes = blob(2_000_000);
    const { digest } = await client.put(bytes);
    const ranges = [
      { start: 0, length: 10 },
      { start: 1_999_999 },
      { start: 5, length: 1_500_000 },
      { start: 2_000_000 },
      { start: 7, length: 0 },
    ];
    for (const range of ranges) {
      const { start, length = bytes.length - start } = range;
      const want = bytes.subarray(start, start + length);
      expect(Buffer.compare(await read(client.get(digest.hash, range)), want)).toBe(0);
    }
    expect(await codeOf(read(client.get(digest, { start: 2_000_001 })))).toBe('out_of_range');
    expect(await codeOf(read(client.get(digest, { start: 0, length: 2_000_001 })))).toBe('out_of_range');
  });

  it('says not_found, by hash, by digest, and for no byte at all', async () => {
    const absent = digestBlob(blob(100));
    expect(await codeOf(read(client.get(absent)))).toBe('not_found');
    expect(await codeOf(read(client.get(absent.hash)))).toBe('not_found');
    expect(await codeOf(read(client.get(absent, { start: 100 })))).toBe('not_found');
  });

  it('refuses bytes that are not what was said, and stores nothing', async () => {
    for (const size of [100, 1_000_000]) {
      const bytes = blob(size);
      const said = digestBlob(blob(size, 7));
      expect(await codeOf(client.put(bytes, { expect: said }))).toBe('digest_mismatch');
      expect(
        await codeOf(client.put(inPieces(bytes, 1000), { expect: toDigest(digestBlob(bytes).hash, size + 1) })),
      ).toBe('digest_mismatch');
      expect(await client.missing([said, digestBlob(bytes)])).toHaveLength(2);
    }
  });

  it('finds out when the server sends other bytes', async () => {
    const bytes = blob(1_000_000);
    const { digest } = await client.put(bytes);
    const open = store.open.bind(store);
    store.open = async (hash) => {
      const handle = await open(hash);
      return (
        handle && {
          ...handle,
          read: async (range) => {
            const part = await handle.read(range);
            if (range.end === bytes.length) part[0]! ^= 1;
            return part;
          },
        }
      );
    };
    let seen = 0;
    const reading = (async () => {
      for await (const piece of client.get(digest)) seen += piece.length;
    })();
    expect(await codeOf(reading)).toBe('corrupt');
    expect(seen).toBeLessThan(bytes.length);
    expect(await codeOf(client.readBatch([digest]))).toBe('corrupt');
  });

  it('passes on what the source throws', async () => {
    async function* failing() {
      yield blob(100_000);
      throw new Error('the cable is loose');
    }
    const put = client.put(failing(), { expect: digestBlob(blob(200_000)) });
    await expect(put).rejects.toThrow('the cable is loose');
    await expect(client.put(failing())).rejects.toThrow('the cable is loose');
  });
});

describe('missing', () => {
  it('answers in order over several messages, a wrong size included', async () => {
    const present: Digest[] = [];
    for (let i = 1; i <= 20; i++) present.push((await client.put(blob(10, i))).digest);
    const asked = Array.from({ length: limits.negotiateCountMax * 2 + 100 }, (_, i) =>
      i % 1000 === 0 ? present[i / 1000]! : toDigest(digestBlob(Buffer.from(`absent ${i}`)).hash, 10),
    );
    const missing = await client.missing(asked);
    expect(missing).toEqual(asked.filter((_, i) => i % 1000 !== 0));
    expect(await client.missing(present)).toEqual([]);
    expect(await client.missing([])).toEqual([]);
    expect(await client.missing([toDigest(present[0]!.hash, 11)])).toHaveLength(1);
  });
});

describe('batches', () => {
  it('reads small and large blobs, and tells absent ones', async () => {
    const blobs = [...sizes, 900_000, 901_000, 902_000, 903_000].map((size) => blob(size));
    for (const bytes of blobs) await client.put(bytes);
    const absent = [digestBlob(blob(77)), digestBlob(blob(7_000_000))];
    const asked = [...blobs.map((bytes) => digestBlob(bytes)), ...absent];
    const answers = await client.readBatch([...asked, ...asked]);
    const want = [...blobs, undefined, undefined];
    for (const [i, bytes] of [...want, ...want].entries()) {
      if (bytes === undefined) expect(answers[i]).toBeUndefined();
      else expect(Buffer.compare(answers[i]!, bytes)).toBe(0);
    }
  });

  it('stats, locates, lists and deletes', async () => {
    const digests: Digest[] = [];
    for (let i = 0; i < 30; i++) digests.push((await client.put(blob(1000 + i))).digest);
    const absent = digestBlob(blob(5)).hash;
    expect(await client.stat([absent, digests[3]!.hash])).toEqual([undefined, expect.objectContaining({ size: 1003 })]);
    expect(await client.locate([digests[3]!.hash])).toEqual([{ size: 1003, localPath: undefined }]);
    const sorted = [...digests].sort((a, b) => Buffer.compare(a.hash, b.hash));
    const listed = [];
    for await (const digest of client.list()) listed.push(digest);
    expect(listed).toEqual(sorted);
    const later = [];
    for await (const digest of client.list({ after: sorted[9]!.hash })) later.push(digest);
    expect(later).toEqual(sorted.slice(10));
    expect(await client.delete([absent, digests[0]!.hash, emptyDigest.hash])).toEqual([false, true, false]);
    expect(await client.missing([digests[0]!])).toHaveLength(1);
  });
});

describe('ending', () => {
  it('says unavailable for a server that is not there', async () => {
    client.close();
    await served.server.close();
    const digest = digestBlob(blob(10));
    const lost = connect(served.url);
    expect(await codeOf(lost.missing([digest]))).toBe('unavailable');
    expect(await codeOf(read(lost.get(digest)))).toBe('unavailable');
    expect(await codeOf(lost.put(blob(10)))).toBe('unavailable');
    expect(await codeOf(lost.putMany([{ digest, open: () => blob(10) }]))).toBe('unavailable');
    lost.close();
  });

  it('refuses what is no address', () => {
    for (const url of ['', 'localhost:9000', 'ftp://localhost']) expect(() => connect(url)).toThrow();
  });

  it('ends with canceled when the signal says so, at either end', async () => {
    const bytes = blob(4_000_000);
    const { digest } = await client.put(bytes);
    const stop = new AbortController();
    const reading = (async () => {
      for await (const _ of client.get(digest, { signal: stop.signal })) stop.abort();
    })();
    expect(await codeOf(reading)).toBe('canceled');
    await expect.poll(() => store.openHandles, { timeout: 10_000 }).toBe(0);

    const stopUpload = new AbortController();
    async function* endless() {
      for (;;) {
        yield blob(100_000);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
    setTimeout(() => stopUpload.abort(), 100);
    const put = client.put(endless(), { expect: digestBlob(blob(9_000_000)), signal: stopUpload.signal });
    expect(await codeOf(put)).toBe('canceled');
    expect(await codeOf(client.stat([digest.hash], { signal: AbortSignal.abort() }))).toBe('canceled');
    expect(await codeOf(client.missing([digest], { signal: AbortSignal.abort() }))).toBe('canceled');
  });

  it('lets go of the server when a reader stops early', async () => {
    const { digest } = await client.put(blob(5_000_000));
    for await (const _ of client.get(digest)) break;
    await expect.poll(() => store.openHandles, { timeout: 10_000 }).toBe(0);
  });

  it('closes the source when the server has the blob already', async () => {
    const bytes = blob(4_000_000);
    const { digest } = await client.put(bytes);
    let closed = false;
    async function* source() {
      try {
        yield* inPieces(bytes, 100_000);
      } finally {
        closed = true;
      }
    }
    expect((await client.put(source(), { expect: digest })).existed).toBe(true);
    await expect.poll(() => closed, { timeout: 10_000 }).toBe(true);
  });
});

describe('transport tokens', () => {
  it('work where they are required, over many calls and after the connection was lost', async () => {
    const strict = await serve(new WatchedStore(), { transportTokens: 'required' });
    const other = connect(strict.url);
    const bytes = blob(300_000);
    const { digest } = await other.put(bytes);
    for (let i = 0; i < 5; i++) expect(Buffer.compare(await read(other.get(digest)), bytes)).toBe(0);
    await Promise.all(Array.from({ length: 8 }, (_, i) => other.put(blob(200_000, i + 50))));
    other.close();
    // The closed session's token is void; the next call asks for one of its own.
    expect(Buffer.compare(await read(other.get(digest)), bytes)).toBe(0);
    other.close();
    await strict.server.close();
  });

  it('come with the concurrency the server recommends, within bounds', async () => {
    for (const [recommendedConcurrency, want] of [
      [3, 3],
      [1000, limits.clientTransfersCountMax],
    ] as const) {
      const busy = await serve(new WatchedStore(), { recommendedConcurrency });
      const other = connect(busy.url);
      expect(await other.recommendedConcurrency()).toBe(want);
      other.close();
      await busy.server.close();
    }
  });
});
