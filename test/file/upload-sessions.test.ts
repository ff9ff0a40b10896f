// Upload sessions over real parts on a real disk, closed and opened again.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ByteBudget } from '../../src/base/byte-budget.js';
import { limits } from '../../src/base/limits.js';
import { systemRandom } from '../../src/base/random.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { StagingFiles } from '../../src/cas/staging-files.js';
import { formatChunkId } from '../../src/chunk/chunk.js';
import type { Chunking } from '../../src/chunk/chunking.js';
import { FileService } from '../../src/file/file-service.js';
import { UploadSessions, type UploadSessionsParts } from '../../src/file/upload-sessions.js';
import { nodeFileSystem } from '../../src/log/node-file-system.js';
import { LevelKv } from '../../src/meta/level-kv.js';
import { bytesOf, streamOf } from '../support/file-service.js';
import { withDirectory } from '../support/local-store.js';
import { ManualClock } from '../support/manual-clock.js';
import { randomSplit, seededRandom, testRounds, testSeed } from '../support/random.js';

const small: Chunking = { kind: 'fastcdc', averageBytes: 1024 };

/** Everything that a process has; the directory and the store outlive it. */
class Process {
  readonly sessions: UploadSessions;
  readonly files: FileService;

  private constructor(readonly parts: UploadSessionsParts) {
    this.sessions = new UploadSessions(parts);
    this.files = new FileService(parts);
  }

  static async start(
    directory: string,
    store: MemoryStore,
    changes: Partial<UploadSessionsParts> = {},
  ): Promise<Process> {
    return new Process({
      store,
      kv: await LevelKv.open({ directory: join(directory, 'meta'), nodeId: 'test' }),
      staging: await StagingFiles.open(nodeFileSystem, join(directory, 'staging')),
      clock: new ManualClock(),
      random: systemRandom,
      chunking: small,
      budget: new ByteBudget(64 << 20),
      report: (error) => {
        throw error;
      },
      ...changes,
    });
  }

  async stop(): Promise<void> {
    await this.sessions.close();
    await this.parts.kv.close();
  }
}

function withProcess<T>(
  body: (process: Process, directory: string, store: MemoryStore) => Promise<T>,
  changes: Partial<UploadSessionsParts> = {},
): Promise<T> {
  return withDirectory(async (directory) => {
    const store = new MemoryStore();
    const process = await Process.start(directory, store, changes);
    try {
      return await body(process, directory, store);
    } finally {
      await process.stop();
    }
  });
}

async function* breaksAfter(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* pieces;
  throw new Error('the connection broke');
}

/** A source that waits until it is told to go on. */
function stalling(first: Uint8Array) {
  let goOn = () => {};
  const told = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let taken = () => {};
  const started = new Promise<void>((resolve) => {
    taken = resolve;
  });
  async function* source() {
    yield first;
    taken();
    await told;
  }
  return { source: source(), started, goOn };
}

describe('upload sessions', () => {
  const seed = testSeed('upload sessions');

  it.each<{ name: string; chunking: Chunking; budget: number }>([
    { name: 'cut by contents', chunking: small, budget: 1 << 30 },
    { name: 'cut by contents, without memory', chunking: { kind: 'fastcdc', averageBytes: 1 << 16 }, budget: 0 },
    { name: 'of a fixed length', chunking: { kind: 'fixed', chunkBytes: 300_000 }, budget: 1 << 30 },
    { name: 'of a fixed length, without memory', chunking: { kind: 'fixed', chunkBytes: 300_000 }, budget: 0 },
  ])('make the same file as an upload in one go, whatever happens on the way: $name', async ({ chunking, budget }) => {
    const random = seededRandom(seed);
    for (let round = 0; round < 3 * testRounds(); round++) {
      await withDirectory(async (directory) => {
        const store = new MemoryStore();
        const start = () => Process.start(directory, store, { chunking, budget: new ByteBudget(budget) });
        let process = await start();
        const bytes = random.bytes(random.between(1, 1_000_000));
        const whole = await process.files.upload('whole', bytes);
        const { uploadId } = await process.sessions.create('parts', bytes.length);
        for (let offset = 0; offset < bytes.length; ) {
          const end = Math.min(bytes.length, offset + random.pick([1, 100, 5000, 100_000, 400_000]));
          const pieces = randomSplit(random, bytes.subarray(offset, end), 70_000);
          const breaks = random.chance(0.3);
          const part = process.sessions.append(uploadId, offset, breaks ? breaksAfter(pieces) : streamOf(pieces));
          if (breaks) await expect(part).rejects.toThrow('the connection broke');
          else expect((await part).offset).toBe(end);
          offset = end;
          if (random.chance(0.2)) {
            await process.stop();
            process = await start();
          }
          expect((await process.sessions.info(uploadId)).offset).toBe(offset);
        }
        const stored = await process.sessions.complete(uploadId);
        expect(stored.chunks.map(({ digest }) => formatChunkId(digest))).toEqual(
          whole.chunks.map(({ digest }) => formatChunkId(digest)),
        );
        expect(stored.manifest).toEqual(whole.manifest);
        expect(await process.parts.staging.names()).toEqual([]);
        expect(process.parts.budget.takenBytes).toBe(0);
        await process.stop();
      });
    }
  });

  it.each<{ name: string; chunking: Chunking; budget: number }>([
    { name: 'in memory', chunking: { kind: 'fastcdc', averageBytes: 1 << 20 }, budget: 1 << 30 },
    { name: 'on the disk', chunking: { kind: 'fixed', chunkBytes: 50 << 20 }, budget: 0 },
  ])('save what streams in without a pause, on the way, with the open end $name', async ({ chunking, budget }) => {
    const bytes = seededRandom(seed).bytes(10_000_001);
    const rounds = 10;
    const size = rounds * bytes.length;
    async function* source() {
      for (let round = 0; round < rounds; round++) yield bytes;
    }
    await withProcess(
      async ({ sessions, files }) => {
        const whole = await files.upload('whole', source());
        const { uploadId } = await sessions.create('part', size);
        const seen: number[] = [];
        async function* watched() {
          for await (const piece of source()) {
            yield piece;
            seen.push((await sessions.info(uploadId)).offset);
          }
        }
        expect((await sessions.append(uploadId, 0, watched())).offset).toBe(size);
        const saved = Math.ceil(limits.uploadSaveBytes / bytes.length) * bytes.length;
        expect(new Set(seen)).toEqual(new Set([0, saved]));
        expect((await sessions.complete(uploadId)).manifest).toEqual(whole.manifest);
      },
      { chunking, budget: new ByteBudget(budget) },
    );
  });

  it('are listed until they are complete', () =>
    withProcess(async ({ sessions, files }) => {
      const one = await sessions.create('one', 3, { contentType: 'text/plain', partBytesMax: 2 });
      await sessions.create('two', 0);
      expect(await sessions.list()).toMatchObject({ total: 2, page: 1, pageSize: 20 });
      expect((await sessions.list()).items).toContainEqual(one);
      expect((await sessions.list({ page: 2, pageSize: 1 })).items.length).toBe(1);
      expect((await sessions.list({ page: 3, pageSize: 1 })).items).toEqual([]);
      await sessions.append(one.uploadId, 0, streamOf([Buffer.from('ab')]));
      await expect(sessions.complete(one.uploadId)).rejects.toMatchObject({ code: 'invalid_argument' });
      await sessions.append(one.uploadId, 2, streamOf([Buffer.from('c')]));
      const stored = await sessions.complete(one.uploadId);
      expect(stored).toMatchObject({ name: 'one', size: 3, version: 1, contentType: 'text/plain' });
      expect(String(await bytesOf((await files.open(stored.fileId)).bytes()))).toBe('abc');
      expect(await sessions.complete(one.uploadId)).toEqual(stored);
      await expect(sessions.info(one.uploadId)).rejects.toMatchObject({
        code: 'not_found',
        subject: { kind: 'upload' },
      });
      expect((await sessions.list()).total).toBe(1);
    }));

  it('take no part that is too long, and then nothing of it', () =>
    withProcess(async ({ sessions }) => {
      const { uploadId } = await sessions.create('name', 10, { partBytesMax: 6 });
      for (const pieces of [['1234567'], ['12345', '67']]) {
        const part = sessions.append(uploadId, 0, streamOf(pieces.map((piece) => Buffer.from(piece))));
        await expect(part).rejects.toMatchObject({ code: 'invalid_argument', subject: { kind: 'parameter' } });
        expect((await sessions.info(uploadId)).offset).toBe(0);
      }
      await sessions.append(uploadId, 0, streamOf([Buffer.from('123456')]));
      await expect(sessions.append(uploadId, 6, streamOf([Buffer.from('78901')]))).rejects.toMatchObject({
        code: 'invalid_argument',
        subject: { kind: 'upload' },
      });
      expect((await sessions.info(uploadId)).offset).toBe(6);
    }));

  it('store a part once when two clients send it', () =>
    withProcess(async ({ sessions }) => {
      const { uploadId } = await sessions.create('name', 4);
      const first = stalling(Buffer.from('ab'));
      const one = sessions.append(uploadId, 0, first.source);
      await first.started;
      await expect(sessions.append(uploadId, 0, streamOf([Buffer.from('ab')]))).rejects.toMatchObject({
        code: 'conflict',
      });
      await expect(sessions.complete(uploadId)).rejects.toMatchObject({ code: 'conflict' });
      first.goOn();
      expect((await one).offset).toBe(2);
      await expect(sessions.append(uploadId, 0, streamOf([Buffer.from('ab')]))).rejects.toMatchObject({
        code: 'conflict',
      });
      expect((await sessions.append(uploadId, 2, streamOf([Buffer.from('cd')]))).offset).toBe(4);
    }));

  it('pass from a request that has stalled to the next', async () => {
    const clock = new ManualClock();
    await withProcess(
      async ({ sessions }) => {
        const { uploadId } = await sessions.create('name', 4);
        const stuck = stalling(Buffer.from('ab'));
        const one = sessions.append(uploadId, 0, stuck.source);
        one.catch(() => {});
        await stuck.started;
        clock.advance(limits.uploadStalledMilliseconds);
        await expect(sessions.append(uploadId, 0, streamOf([]))).rejects.toMatchObject({ code: 'conflict' });
        await expect(one).rejects.toMatchObject({ code: 'conflict' });
        expect((await sessions.append(uploadId, 2, streamOf([Buffer.from('cd')]))).offset).toBe(4);
      },
      { clock },
    );
  });

  it('pass to nobody who was waiting for them when the server stops', async () => {
    const clock = new ManualClock();
    await withProcess(
      async ({ sessions }) => {
        const { uploadId } = await sessions.create('name', 4);
        const [first, second] = [stalling(Buffer.from('ab')), stalling(Buffer.from('cd'))];
        const one = sessions.append(uploadId, 0, first.source);
        one.catch(() => {});
        await first.started;
        clock.advance(limits.uploadStalledMilliseconds);
        const next = sessions.append(uploadId, 2, second.source);
        const refused = expect(next).rejects.toMatchObject({ code: 'unavailable' });
        await sessions.close();
        await refused;
      },
      { clock },
    );
  });

  it('end when they are given up, with who brings them bytes', () =>
    withProcess(async ({ sessions, parts }) => {
      const { uploadId } = await sessions.create('name', 4);
      const stuck = stalling(Buffer.from('ab'));
      const one = sessions.append(uploadId, 0, stuck.source);
      one.catch(() => {});
      await stuck.started;
      await sessions.abort(uploadId);
      await expect(one).rejects.toMatchObject({ code: 'canceled' });
      for (const call of [
        () => sessions.info(uploadId),
        () => sessions.abort(uploadId),
        () => sessions.complete(uploadId),
      ]) {
        await expect(call()).rejects.toMatchObject({ code: 'not_found' });
      }
      expect(await parts.staging.names()).toEqual([]);
    }));

  it('expire when nobody goes on with them, and take their staged bytes along', async () => {
    const clock = new ManualClock();
    await withProcess(
      async ({ sessions, parts }) => {
        const left = await sessions.create('left', 4);
        const kept = await sessions.create('kept', 4);
        await sessions.append(left.uploadId, 0, streamOf([Buffer.from('ab')]));
        clock.advance(limits.uploadLifeMilliseconds - 1);
        await sessions.append(kept.uploadId, 0, streamOf([Buffer.from('ab')]));
        await parts.staging.open('u_00000000000000000000000000000000.0', 0);
        clock.advance(1);
        sessions.startSweeping();
        await expect.poll(async () => (await sessions.list()).total).toBe(1);
        await expect.poll(async () => (await parts.staging.names()).length).toBe(1);
        expect((await sessions.list()).items.map(({ name }) => name)).toEqual(['kept']);
        expect(await parts.staging.names()).toEqual([`${kept.uploadId}.0`]);
      },
      { clock },
    );
  });

  it('are swept beside files of others, which stay', () =>
    withProcess(async ({ sessions, parts }, directory) => {
      const orphan = `u_${'0'.repeat(32)}.0`;
      for (const name of ['.DS_Store', orphan, 'backup']) await writeFile(join(directory, 'staging', name), 'bytes');
      await sessions.sweep();
      expect((await parts.staging.names()).sort()).toEqual(['.DS_Store', 'backup']);
    }));

  it('go back to the last whole chunk when staged bytes are lost or damaged, and say so', async () => {
    const bytes = seededRandom(seed).bytes(20_000);
    for (const damage of ['lost', 'damaged']) {
      await withProcess(async ({ sessions, parts, files }) => {
        const { uploadId } = await sessions.create('name', bytes.length);
        await sessions.append(uploadId, 0, streamOf([bytes.subarray(0, 15_000)]));
        const [name] = await parts.staging.names();
        const cut = Number(name!.split('.')[1]);
        if (damage === 'lost') await parts.staging.remove(name!);
        else {
          const staged = await parts.staging.open(name!, 0);
          await staged!.append(new Uint8Array(15_000 - cut));
          await staged!.close();
        }
        const part = sessions.append(uploadId, 15_000, streamOf([bytes.subarray(15_000)]));
        await expect(part).rejects.toMatchObject({ code: 'conflict' });
        expect((await sessions.info(uploadId)).offset).toBe(cut);
        await sessions.append(uploadId, cut, streamOf([bytes.subarray(cut)]));
        const { fileId } = await sessions.complete(uploadId);
        expect((await bytesOf((await files.open(fileId)).bytes())).equals(bytes)).toBe(true);
      });
    }
  });

  it.each([
    ['a name', '', 1, {}],
    ['a size', 'name', -1, {}],
    ['a whole size', 'name', 1.5, {}],
    ['a part size', 'name', 1, { partBytesMax: 0 }],
    ['a content type', 'name', 1, { contentType: 'a\nb' }],
  ])('need %s', (_, name, size, options) =>
    withProcess(async ({ sessions }) => {
      await expect(sessions.create(name, size, options)).rejects.toMatchObject({ code: 'invalid_argument' });
    }),
  );

  it('fail at their start and at their end where a file of the name must not exist', () =>
    withProcess(async ({ sessions, files }) => {
      const { uploadId } = await sessions.create('name', 0, { ifExists: 'fail' });
      await files.upload('name', new Uint8Array(1));
      await expect(sessions.complete(uploadId)).rejects.toMatchObject({ code: 'already_exists' });
      await expect(sessions.create('name', 0, { ifExists: 'fail' })).rejects.toMatchObject({ code: 'already_exists' });
      expect((await sessions.list()).total).toBe(1);
    }));
});
