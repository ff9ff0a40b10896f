// cairn.v1.BlobService, whichever way it is spoken to.

import { Code } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { emptyDigest } from '../../src/base/digest.js';
import { freshBlob, uploadMessages } from './wire-blobs.js';
import { expectCode, type WireCaller, wireDigest } from './wire-caller.js';

export function blobServiceSuite(caller: () => WireCaller): void {
  describe('BlobService', () => {
    it('FindMissing names the missing in request order, each once', async () => {
      const here = await caller().stored(freshBlob(100));
      const [a, b] = [freshBlob(50), freshBlob(60)];
      const otherSize = { ...here.message, sizeBytes: 7n };
      const asked = [b.message, here.message, a.message, b.message, otherSize];
      const answer = await caller().blobs.findMissing({ digests: asked });
      expect(answer.missing).toMatchObject([b.message, a.message, otherSize].map(wireDigest));
      const short = { sizeBytes: 1n, blake3: new Uint8Array(5) };
      await expectCode(Code.InvalidArgument, caller().blobs.findMissing({ digests: [short] }));
    });

    it('BatchWrite gives each item its status; a present blob succeeds', async () => {
      const [a, b, c] = [freshBlob(100), freshBlob(0), freshBlob(70_000)];
      const old = await caller().stored(freshBlob(10));
      const { items } = await caller().blobs.batchWrite({
        items: [
          { digest: a.message, data: a.bytes },
          { digest: b.message, data: b.bytes },
          { digest: a.message, data: new Uint8Array(100) },
          { digest: c.message, data: c.bytes.subarray(1) },
          { data: a.bytes },
          { digest: { sizeBytes: 3n, blake3: new Uint8Array(3) }, data: new Uint8Array(3) },
          { digest: c.message, data: c.bytes },
          { digest: old.message, data: old.bytes },
          { digest: c.message, data: c.bytes },
        ],
      });
      expect(items.map(({ status, existed }) => [status?.code, existed])).toEqual([
        [0, false],
        [0, true],
        [Code.InvalidArgument, false],
        [Code.InvalidArgument, false],
        [Code.InvalidArgument, false],
        [Code.InvalidArgument, false],
        [0, false],
        [0, true],
        [0, false],
      ]);
      expect(items.map(({ digest }) => digest?.sizeBytes)).toEqual([
        100n,
        0n,
        100n,
        70_000n,
        undefined,
        3n,
        70_000n,
        10n,
        70_000n,
      ]);
      expect(items[0]?.status?.message).toBe('');
      expect(items[2]?.status?.message).not.toBe('');
      expect((await caller().downloaded(a)).equals(a.bytes)).toBe(true);
      expect((await caller().downloaded(c)).equals(c.bytes)).toBe(true);
    });

    it('BatchRead gives each item its status, in order', async () => {
      const [a, b, big] = await Promise.all(
        [freshBlob(100), freshBlob(1_200_000), freshBlob(10)].map((blob) => caller().stored(blob)),
      );
      const gone = freshBlob(10);
      const { items } = await caller().blobs.batchRead({
        digests: [
          b!.message,
          gone.message,
          { sizeBytes: 1n, blake3: new Uint8Array(1) },
          a!.message,
          { ...big!.message, sizeBytes: 11n },
          { sizeBytes: 0n, blake3: emptyDigest.hash },
          a!.message,
        ],
      });
      expect(items.map(({ status }) => status?.code)).toEqual([
        0,
        Code.NotFound,
        Code.InvalidArgument,
        0,
        Code.NotFound,
        0,
        0,
      ]);
      expect(Buffer.from(items[0]!.data).equals(b!.bytes)).toBe(true);
      expect(Buffer.from(items[6]!.data).equals(a!.bytes)).toBe(true);
      expect(items[1]!.data).toHaveLength(0);
      expect(items.map(({ digest }) => digest?.sizeBytes)).toEqual([1_200_000n, 10n, 1n, 100n, 11n, 0n, 100n]);
    });

    it('Stat tells sizes of hashes, in order', async () => {
      const blob = await caller().stored(freshBlob(1234));
      const hashes = [blob.digest.hash, freshBlob(10).digest.hash, emptyDigest.hash];
      const { items } = await caller().blobs.stat({ hashes, withLocalPath: true });
      expect(items.map(({ sizeBytes }) => sizeBytes)).toEqual([1234n, undefined, 0n]);
      expect(items.map(({ hash }) => Buffer.from(hash))).toEqual(hashes.map((hash) => Buffer.from(hash)));
      await expectCode(Code.InvalidArgument, caller().blobs.stat({ hashes: [new Uint8Array(31)] }));
    });

    it('List pages through all blobs in order of hash', async () => {
      const mine = await Promise.all([1, 2, 3].map(() => caller().stored(freshBlob(20))));
      const listed: string[] = [];
      let pageToken = '';
      do {
        const page = await caller().blobs.list({ pageSize: 31, pageToken });
        expect(page.digests.length === 31 || page.nextPageToken === '').toBe(true);
        expect(page.totalCount).toBeGreaterThanOrEqual(3n);
        listed.push(...page.digests.map(({ blake3 }) => Buffer.from(blake3).toString('hex')));
        pageToken = page.nextPageToken;
      } while (pageToken !== '');
      expect(listed).toEqual([...new Set(listed)].sort());
      for (const { digest } of mine) expect(listed).toContain(Buffer.from(digest.hash).toString('hex'));
      expect(listed).not.toContain(Buffer.from(emptyDigest.hash).toString('hex'));
      const all = await caller().blobs.list({ pageSize: listed.length });
      expect(all.digests).toHaveLength(listed.length);
      expect(all.nextPageToken).toBe('');
    });

    it('List refuses negative sizes and tokens that are not its own', async () => {
      await expectCode(Code.InvalidArgument, caller().blobs.list({ pageSize: -1 }));
      await expectCode(Code.InvalidArgument, caller().blobs.list({ pageToken: 'next' }));
    });

    it('Delete tells what was there; a deleted blob is missing', async () => {
      const blob = await caller().stored(freshBlob(77));
      const hashes = [freshBlob(9).digest.hash, blob.digest.hash];
      expect((await caller().blobs.delete({ hashes })).deleted).toEqual([false, true]);
      expect((await caller().blobs.delete({ hashes })).deleted).toEqual([false, false]);
      expect(await caller().missing(blob)).toHaveLength(1);
      await expectCode(Code.NotFound, caller().downloaded(blob));
      await expectCode(Code.InvalidArgument, caller().blobs.delete({ hashes: [new Uint8Array(0)] }));
      await caller().transport.upload(uploadMessages(blob));
      expect((await caller().downloaded(blob)).equals(blob.bytes)).toBe(true);
    });
  });
}
