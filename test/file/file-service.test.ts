// Files from outside: what goes in comes out, under its name, in its version.

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ByteBudget } from '../../src/base/byte-budget.js';
import type { BlobHash } from '../../src/base/digest.js';
import { CairnError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { formatChecksum } from '../../src/chunk/chunk.js';
import { FileService } from '../../src/file/file-service.js';
import { prefixRange, textKey } from '../../src/meta/keys.js';
import type { KvStore, Txn } from '../../src/meta/kv.js';
import { bytesOf, streamOf, withFiles } from '../support/file-service.js';
import { ManualClock } from '../support/manual-clock.js';
import { randomSplit, seededRandom, testSeed } from '../support/random.js';

const text = (value: string) => new TextEncoder().encode(value);

describe('files', () => {
  const seed = testSeed('files');

  it('come out as they went in, whole and in ranges', () =>
    withFiles(async ({ files }) => {
      const random = seededRandom(seed);
      for (const size of [0, 1, 255, 256, 4096, 100_000, 3_000_000]) {
        const bytes = random.bytes(size);
        const stored = await files.upload(`of ${size}`, streamOf(randomSplit(random, bytes, 70_000)));
        expect(stored.size).toBe(size);
        const { info, bytes: read } = await files.open(stored.fileId);
        expect(info).toEqual(await files.info(stored.fileId));
        expect((await bytesOf(read())).equals(bytes)).toBe(true);
        for (let round = 0; round < 20; round++) {
          const start = random.between(0, size);
          const end = random.between(start, size);
          expect((await bytesOf(read({ start, end }))).equals(bytes.subarray(start, end))).toBe(true);
        }
      }
    }));

  it('let others have their turn while a large array goes in', async () => {
    let turn = 0;
    const turnsWithWork = new Set<number>();
    class Watched extends MemoryStore {
      override stat(hashes: readonly BlobHash[]) {
        turnsWithWork.add(turn);
        return super.stat(hashes);
      }
    }
    await withFiles(
      async ({ files }) => {
        const count = () => {
          turn += 1;
          next = setImmediate(count);
        };
        let next = setImmediate(count);
        await files.upload('large', new Uint8Array(16 * limits.uploadSliceBytes));
        clearImmediate(next);
      },
      { store: new Watched() },
    );
    expect(turnsWithWork.size).toBeGreaterThanOrEqual(16);
  });

  it('list their chunks, each with its size and SHA-256', () =>
    withFiles(async ({ files }) => {
      const bytes = seededRandom(seed).bytes(3_000_000);
      const stored = await files.upload('chunked', bytes);
      expect(stored.chunkCount).toBeGreaterThan(limits.uploadChunksListedCountMax);
      expect(stored.chunks.length).toBe(limits.uploadChunksListedCountMax);
      const rest = await files.chunks(stored.fileId, { page: 2 });
      expect(rest).toMatchObject({ page: 2, pageSize: limits.uploadChunksListedCountMax, total: stored.chunkCount });
      const chunks = [...stored.chunks, ...rest.items];
      expect(chunks.length).toBe(Math.min(stored.chunkCount, 2 * limits.uploadChunksListedCountMax));
      for (const chunk of chunks) {
        const content = bytes.subarray(chunk.offset, chunk.offset + chunk.digest.size);
        expect(formatChecksum(chunk)).toBe(`sha256:${createHash('sha256').update(content).digest('hex')}`);
      }
    }));

  it('have versions, each to be read, listed and restored', () =>
    withFiles(async ({ files }) => {
      const first = await files.upload('name', text('one'), { contentType: 'text/plain' });
      const second = await files.upload('name', text('second'));
      expect(second).toMatchObject({ fileId: first.fileId, version: 2, createdAt: first.createdAt, size: 6 });
      expect(second.contentType).toBeUndefined();
      expect(await files.info(first.fileId)).toMatchObject({ version: 2, size: 6 });
      expect(await files.info(first.fileId, { version: 1 })).toMatchObject({ size: 3, contentType: 'text/plain' });
      expect(String(await bytesOf((await files.open(first.fileId, { version: 1 })).bytes()))).toBe('one');
      const restored = await files.restore(first.fileId, 1);
      expect(restored).toMatchObject({ version: 3, size: 3, contentType: 'text/plain' });
      expect(String(await bytesOf((await files.open(first.fileId)).bytes()))).toBe('one');
      const { items, total } = await files.versions(first.fileId);
      expect(items.map(({ version }) => version)).toEqual([3, 2, 1]);
      expect(total).toBe(3);
      const page = await files.versions(first.fileId, { page: 2, pageSize: 2 });
      expect(page.items.map(({ version }) => version)).toEqual([1]);
      expect((await files.versions(first.fileId, { page: 3, pageSize: 2 })).items).toEqual([]);
      for (const version of [0, 4, 1.5, -1]) {
        await expect(files.info(first.fileId, { version })).rejects.toMatchObject({ code: 'not_found' });
        await expect(files.restore(first.fileId, version)).rejects.toMatchObject({ code: 'not_found' });
      }
    }));

  it('are gone when they are deleted, with all versions, though open ones can be read to the end', () =>
    withFiles(async ({ files }) => {
      const { fileId } = await files.upload('name', text('one'));
      await files.upload('name', text('second'));
      const open = await files.open(fileId);
      await files.delete(fileId);
      expect(String(await bytesOf(open.bytes()))).toBe('second');
      expect(await files.findByName('name')).toBeUndefined();
      for (const call of [
        () => files.info(fileId),
        () => files.info(fileId, { version: 1 }),
        () => files.open(fileId),
        () => files.delete(fileId),
      ]) {
        await expect(call()).rejects.toMatchObject({ code: 'not_found', subject: { kind: 'file', id: fileId } });
      }
      expect(await files.counts()).toEqual({ files: 0, versions: 0, chunks: 0, bytes: 0 });
      const again = await files.upload('name', text('third'));
      expect(again.version).toBe(1);
      expect(again.fileId).not.toBe(fileId);
    }));

  it('are listed by the bytes of their names, page by page', () =>
    withFiles(async ({ files }) => {
      const names = ['b', 'a', 'ä', 'a/b', '../a', 'A', '日本', '𝄞', 'a\u0308', ' ', 'ab', 'test-1', 'test-2', 'test'];
      for (const name of names) await files.upload(name, text(name));
      const sorted = names.toSorted((a, b) => Buffer.compare(text(a), text(b)));
      expect((await files.list()).items.map(({ name }) => name)).toEqual(sorted);
      const page = await files.list({ page: 2, pageSize: 5 });
      expect(page).toMatchObject({ page: 2, pageSize: 5, total: names.length });
      expect(page.items.map(({ name }) => name)).toEqual(sorted.slice(5, 10));
      const tests = await files.list({ prefix: 'test', pageSize: 2 });
      expect(tests.total).toBe(3);
      expect(tests.items.map(({ name }) => name)).toEqual(['test', 'test-1']);
      expect(await files.list({ page: 9 })).toMatchObject({ items: [], total: names.length, page: 9, pageSize: 20 });
      expect((await files.list({ pageSize: 5000 })).pageSize).toBe(100);
      for (const wrong of [
        { page: 0 },
        { page: -1 },
        { pageSize: 0 },
        { page: 1.5 },
        { page: Number.NaN },
        { page: 2 ** 60 },
      ]) {
        await expect(files.list(wrong)).rejects.toMatchObject({ code: 'invalid_argument' });
      }
    }));

  it.each([
    ['empty', ''],
    ['with NUL', 'a\0b'],
    ['too long', 'ä'.repeat(600)],
    ['with half of a character', 'a\ud800b'],
  ])('may not have a name that is %s', (_, name) =>
    withFiles(async ({ files }) => {
      await expect(files.upload(name, text('x'))).rejects.toMatchObject({
        code: 'invalid_argument',
        subject: { kind: 'parameter', id: 'file_name' },
      });
    }),
  );

  it('are refused when they exist and must not, before a byte is read', () =>
    withFiles(async ({ files }) => {
      await files.upload('name', text('one'));
      let asked = false;
      async function* source() {
        asked = true;
        yield text('two');
      }
      await expect(files.upload('name', source(), { ifExists: 'fail' })).rejects.toMatchObject({
        code: 'already_exists',
      });
      expect(asked).toBe(false);
      await files.upload('other', source(), { ifExists: 'fail' });
    }));

  it('are refused when they have another size than announced, or are canceled', () =>
    withFiles(async ({ files, store }) => {
      for (const expectedSize of [2, 4]) {
        await expect(files.upload('name', text('one'), { expectedSize })).rejects.toMatchObject({
          code: 'invalid_argument',
        });
      }
      const stop = new AbortController();
      async function* stalls() {
        yield text('one');
        stop.abort();
        await new Promise(() => {});
      }
      await expect(files.upload('name', stalls(), { signal: stop.signal })).rejects.toMatchObject({ code: 'canceled' });
      await expect(files.upload('name', text('x'), { contentType: 'a\r\nb' })).rejects.toMatchObject({
        code: 'invalid_argument',
      });
      expect(await files.findByName('name')).toBeUndefined();
      expect((await store.usage()).blobs).toBe(0);
    }));

  it('get a version for each of many uploads at once, and numbers without gaps', () =>
    withFiles(async ({ files }) => {
      const uploads = Array.from({ length: 200 }, (_, i) => files.upload('same', text(`upload ${i}`)));
      const stored = await Promise.all(uploads);
      expect(new Set(stored.map(({ fileId }) => fileId)).size).toBe(1);
      expect(stored.map(({ version }) => version).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 200 }, (_, i) => i + 1),
      );
      for (const [i, { fileId, version }] of stored.entries()) {
        expect(String(await bytesOf((await files.open(fileId, { version })).bytes()))).toBe(`upload ${i}`);
      }
      const only = await Promise.allSettled(
        Array.from({ length: 5 }, (_, i) => files.upload('one', text(`${i}`), { ifExists: 'fail' })),
      );
      expect(only.filter(({ status }) => status === 'fulfilled').length).toBe(1);
    }));

  it('are all counted when many come and go at once', () =>
    withFiles(async ({ files }) => {
      const all = Array.from({ length: 300 }, (_, i) => i);
      const stored = await Promise.all(all.map((i) => files.upload(`name ${i}`, text('four'))));
      expect(await files.counts()).toEqual({ files: 300, versions: 300, chunks: 300, bytes: 1200 });
      await Promise.all(stored.slice(0, 200).map(({ fileId }) => files.delete(fileId)));
      expect(await files.counts()).toEqual({ files: 100, versions: 100, chunks: 100, bytes: 400 });
    }));

  it('get a version for each of many uploads by several processes, too', () =>
    withFiles(async ({ parts }) => {
      const uploads = Array.from({ length: 12 }, (_, i) => new FileService(parts).upload('same', text(`upload ${i}`)));
      const versions = (await Promise.all(uploads)).map(({ version }) => version);
      expect(versions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    }));

  it('are read in small pieces where memory is short, in larger ones elsewhere, and give memory back', async () => {
    const bytes = seededRandom(seed).bytes(4_000_000);
    const longest = async (budget: ByteBudget) =>
      withFiles(
        async ({ files }) => {
          const { fileId } = await files.upload('name', bytes);
          const lengths: number[] = [];
          for await (const piece of (await files.open(fileId)).bytes()) lengths.push(piece.length);
          const left = (await files.open(fileId)).bytes();
          await left.next();
          await left.next();
          await left.return(undefined);
          expect(budget.takenBytes).toBe(0);
          return Math.max(...lengths);
        },
        { budget, chunking: { kind: 'fixed', chunkBytes: 4_000_000 } },
      );
    expect(await longest(new ByteBudget(0))).toBe(limits.firstReadBytes);
    expect(await longest(new ByteBudget(1 << 30))).toBeGreaterThan(limits.firstReadBytes * 8);
  });

  it.each([undefined, true as const])(
    'are forgotten by readers that stop, who go on with the same bytes: recycled %s',
    async (recycles) => {
      const bytes = seededRandom(seed).bytes(4_000_000);
      const clock = new ManualClock();
      const budget = new ByteBudget(1 << 30);
      await withFiles(
        async ({ files }) => {
          const { fileId } = await files.upload('name', bytes);
          const pieces = (await files.open(fileId)).bytes(undefined, { recycles });
          const read: Uint8Array[] = [];
          const take = async () => new Uint8Array((await pieces.next()).value as Uint8Array);
          for (let i = 0; i < 6; i++) read.push(await take());
          const taken = budget.takenBytes;
          clock.advance(limits.stalledPieceMilliseconds);
          await expect.poll(() => budget.takenBytes).toBeLessThan(taken / 2 + 1);
          read.push(await take(), await take());
          expect(read.at(-1)!.length).toBeLessThanOrEqual(2 * limits.firstReadBytes);
          for await (const piece of pieces) read.push(new Uint8Array(piece));
          expect(Buffer.concat(read).equals(bytes)).toBe(true);
          expect(budget.takenBytes).toBe(0);
        },
        { budget, clock, chunking: { kind: 'fixed', chunkBytes: 900_000 } },
      );
    },
  );

  it('are corrupt, and never other bytes, when somebody deletes their chunks or manifests', () =>
    withFiles(async ({ files, store }) => {
      const { fileId, chunks, manifest } = await files.upload('name', seededRandom(seed).bytes(10_000));
      const { bytes } = await files.open(fileId);
      await store.delete([chunks[2]!.digest.hash]);
      await expect(bytesOf(bytes())).rejects.toMatchObject({ code: 'corrupt', subject: { kind: 'chunk' } });
      expect((await bytesOf(bytes({ start: 0, end: chunks[2]!.offset }))).length).toBe(chunks[2]!.offset);
      await store.delete([manifest]);
      await expect(bytesOf(bytes())).rejects.toMatchObject({ code: 'corrupt' });
      await expect(files.chunks(fileId)).rejects.toMatchObject({ code: 'corrupt' });
    }));

  it('are stored chunk by chunk as their bytes come where memory is short, with the same chunks', async () => {
    const bytes = seededRandom(seed).bytes(2_000_000);
    const chunking = { kind: 'fixed', chunkBytes: 700_000 } as const;
    const upload = (budget: ByteBudget) =>
      withFiles(
        async ({ files, store }) => {
          const stored = await files.upload('name', streamOf(randomSplit(seededRandom(seed), bytes, 50_000)));
          expect((await bytesOf((await files.open(stored.fileId)).bytes())).equals(bytes)).toBe(true);
          expect(budget.takenBytes).toBe(0);
          expect((await store.usage()).blobs).toBe(4);
          return stored.chunks.map((chunk) => formatChecksum(chunk));
        },
        { chunking, budget },
      );
    expect(await upload(new ByteBudget(0))).toEqual(await upload(new ByteBudget(1 << 30)));
  });

  it('stops reading when it is told to', () =>
    withFiles(async ({ files }) => {
      const { fileId } = await files.upload('name', seededRandom(seed).bytes(100_000));
      const stop = new AbortController();
      const pieces = (await files.open(fileId)).bytes(undefined, { signal: stop.signal });
      await pieces.next();
      stop.abort();
      await expect(bytesOf(pieces)).rejects.toMatchObject({ code: 'canceled' });
      const left = (await files.open(fileId)).bytes();
      await left.next();
      await left.return(undefined);
      expect(await left.next()).toMatchObject({ done: true });
    }));

  it('have no version when they are canceled after their last byte', async () => {
    const abort = new AbortController();
    class Cancels extends MemoryStore {
      override async write(...asked: Parameters<MemoryStore['write']>) {
        abort.abort();
        return super.write(...asked);
      }
    }
    await withFiles(
      async ({ files }) => {
        const upload = files.upload('a', text('all of it'), { signal: abort.signal });
        await expect(upload).rejects.toMatchObject({ code: 'canceled' });
        expect(await files.findByName('a')).toBeUndefined();
      },
      { store: new Cancels() },
    );
  });

  it('have no version when the answer could not be put together', async () => {
    class Unreadable extends MemoryStore {
      override async open(): Promise<never> {
        throw new CairnError('overloaded', 'too many open files');
      }
    }
    await withFiles(
      async ({ files }) => {
        await expect(files.upload('a', text('one'))).rejects.toMatchObject({ code: 'overloaded' });
        expect(await files.findByName('a')).toBeUndefined();
      },
      { store: new Unreadable() },
    );
  });

  it('give all memory back when chunks cannot be stored', async () => {
    class Full extends MemoryStore {
      override async write(): Promise<never> {
        throw new CairnError('no_space', 'the disk is full');
      }
    }
    const chunking = { kind: 'fixed', chunkBytes: 1 << 20 } as const;
    await withFiles(
      async ({ files, parts }) => {
        const bytes = seededRandom(1).bytes(8 << 20);
        await expect(files.upload('a', bytes)).rejects.toMatchObject({ code: 'no_space' });
        expect(parts.budget.takenBytes).toBe(0);
      },
      { store: new Full(), chunking },
    );
  });

  it('leave no version behind when whoever deletes them dies on the way', () =>
    withFiles(async ({ files, parts }) => {
      const { fileId } = await files.upload('a', text('one'));
      await files.upload('a', text('two'));
      const { kv } = parts;
      let isDead = false;
      const dying: KvStore = Object.create(kv, {
        txn: {
          value: async (txn: Txn) => {
            if (isDead) throw new CairnError('unavailable', 'the process has died');
            const result = await kv.txn(txn);
            isDead = true;
            return result;
          },
        },
        get: { value: (key: Uint8Array) => kv.get(key) },
        range: { value: (...asked: Parameters<KvStore['range']>) => kv.range(...asked) },
      });
      await new FileService({ ...parts, kv: dying }).delete(fileId).catch(() => {});
      expect(await kv.count(prefixRange(textKey('file/')))).toBe(await kv.count(prefixRange(textKey('file/count/'))));
    }));
});
