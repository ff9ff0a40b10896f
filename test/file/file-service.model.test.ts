// Ten thousand random operations on files, held against a Map that does the same, with restarts in between: every answer
// must agree. Blobs and metadata lie on this machine's disk.

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ByteBudget } from '../../src/base/byte-budget.js';
import { systemClock } from '../../src/base/clock.js';
import { systemRandom } from '../../src/base/random.js';
import type { LocalStore } from '../../src/cas/local-store.js';
import { StagingFiles } from '../../src/cas/staging-files.js';
import { FileService } from '../../src/file/file-service.js';
import { UploadSessions } from '../../src/file/upload-sessions.js';
import { nodeFileSystem } from '../../src/log/node-file-system.js';
import { LevelKv } from '../../src/meta/level-kv.js';
import { bytesOf, streamOf } from '../support/file-service.js';
import { withinAMinute } from '../support/hang.js';
import { openStoreIn, withDirectory } from '../support/local-store.js';
import { randomSplit, type SeededRandom, seededRandom, testRounds, testSeed } from '../support/random.js';

const names = [
  'a',
  'b',
  'a/b',
  'ä',
  'ab',
  '日本',
  '../b',
  'b b',
  'A',
  'test.txt',
  'test',
  '𝄞',
  'b\u0301',
  '"',
  '\\',
  '\n',
];
const prefixes = ['', 'a', 'b', 'test', 'z', 'ä'];

interface ModelFile {
  readonly fileId: string;
  readonly name: string;
  /** The first version first. */
  readonly versions: Uint8Array[];
}

interface ModelUpload {
  readonly name: string;
  readonly bytes: Uint8Array;
  offset: number;
}

/** The process that is running, and what it should know. */
class World {
  readonly files = new Map<string, ModelFile>();
  readonly uploads = new Map<string, ModelUpload>();
  /** Ids that named files once. */
  readonly deleted: string[] = [];
  service!: FileService;
  sessions!: UploadSessions;
  #store!: LocalStore;
  #kv!: LevelKv;

  constructor(
    readonly random: SeededRandom,
    readonly directory: string,
  ) {}

  async start(): Promise<void> {
    this.#store = await openStoreIn(this.directory, { durability: 'memory' });
    this.#kv = await LevelKv.open({ directory: join(this.directory, 'meta'), nodeId: 'test' });
    const parts = {
      store: this.#store,
      kv: this.#kv,
      clock: systemClock,
      random: systemRandom,
      chunking: { kind: 'fastcdc', averageBytes: 4096 },
      budget: new ByteBudget(64 << 20),
    } as const;
    this.service = new FileService(parts);
    const staging = await StagingFiles.open(nodeFileSystem, join(this.directory, 'staging'));
    const report = (error: unknown) => {
      throw error;
    };
    this.sessions = new UploadSessions({ ...parts, staging, report });
  }

  async stop(): Promise<void> {
    await this.sessions.close();
    await this.#kv.close();
    await this.#store.close();
  }

  someFile(): ModelFile | undefined {
    return this.files.size === 0 ? undefined : this.random.pick([...this.files.values()]);
  }

  byName(name: string): ModelFile | undefined {
    return [...this.files.values()].find((file) => file.name === name);
  }

  /** New bytes, or those of some version with an edit in the middle. */
  someBytes(): Uint8Array {
    const before = this.random.chance(0.5) ? this.someFile()?.versions.at(-1) : undefined;
    if (before === undefined) return this.random.bytes(this.random.pick([0, 1, 100, 5000, 60_000]));
    const at = this.random.between(0, before.length);
    return Buffer.concat([before.subarray(0, at), this.random.bytes(10), before.subarray(at)]);
  }

  /** What a new version of a name does to the model. */
  added(fileId: string, name: string, bytes: Uint8Array, version: number): void {
    const file = this.byName(name);
    if (file === undefined) {
      expect(version).toBe(1);
      this.files.set(fileId, { fileId, name, versions: [bytes] });
    } else {
      expect([fileId, version]).toEqual([file.fileId, file.versions.length + 1]);
      file.versions.push(bytes);
    }
  }
}

const code = (code: string) => expect.objectContaining({ code });

async function upload(world: World): Promise<void> {
  const { random, service } = world;
  const name = random.pick(names);
  const bytes = world.someBytes();
  const source = random.chance(0.5) ? bytes : streamOf(randomSplit(random, bytes, 30_000));
  const ifExists = random.chance(0.2) ? 'fail' : 'version';
  const stored = service.upload(name, source, { ifExists, expectedSize: bytes.length });
  if (ifExists === 'fail' && world.byName(name) !== undefined) {
    await expect(stored).rejects.toEqual(code('already_exists'));
    return;
  }
  const { fileId, version, size } = await stored;
  expect(size).toBe(bytes.length);
  world.added(fileId, name, bytes, version);
}

async function read(world: World): Promise<void> {
  const { random, service } = world;
  const file = world.someFile();
  if (file === undefined) return;
  const version = random.between(1, file.versions.length + 1);
  const bytes = file.versions[version - 1];
  if (bytes === undefined) {
    await expect(service.open(file.fileId, { version })).rejects.toEqual(code('not_found'));
    return;
  }
  const open = await service.open(
    file.fileId,
    version === file.versions.length && random.chance(0.5) ? {} : { version },
  );
  expect(open.info).toMatchObject({ name: file.name, version, size: bytes.length });
  const start = random.between(0, bytes.length);
  const range = { start, end: random.between(start, bytes.length) };
  expect((await bytesOf(open.bytes(range))).equals(bytes.subarray(range.start, range.end))).toBe(true);
}

async function list(world: World): Promise<void> {
  const { random, service } = world;
  const prefix = random.pick(prefixes);
  const [page, pageSize] = [random.between(1, 4), random.between(1, 8)];
  const all = [...world.files.values()]
    .filter(({ name }) => name.startsWith(prefix))
    .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  const answer = await service.list({ prefix, page, pageSize });
  expect(answer.total).toBe(all.length);
  const want = all.slice((page - 1) * pageSize, page * pageSize);
  expect(answer.items.map(({ name, version, size }) => [name, version, size])).toEqual(
    want.map(({ name, versions }) => [name, versions.length, versions.at(-1)!.length]),
  );
}

async function versions(world: World): Promise<void> {
  const file = world.someFile();
  if (file === undefined) return;
  const [page, pageSize] = [world.random.between(1, 3), world.random.between(1, 5)];
  const answer = await world.service.versions(file.fileId, { page, pageSize });
  const sizes = file.versions.map(({ length }) => length).reverse();
  expect(answer.total).toBe(sizes.length);
  expect(answer.items.map(({ size }) => size)).toEqual(sizes.slice((page - 1) * pageSize, page * pageSize));
}

async function restore(world: World): Promise<void> {
  const file = world.someFile();
  if (file === undefined) return;
  const version = world.random.between(1, file.versions.length);
  const info = await world.service.restore(file.fileId, version);
  world.added(file.fileId, file.name, file.versions[version - 1]!, info.version);
}

async function remove(world: World): Promise<void> {
  const file = world.someFile();
  if (file === undefined) return;
  await world.service.delete(file.fileId);
  world.files.delete(file.fileId);
  world.deleted.push(file.fileId);
}

async function missing(world: World): Promise<void> {
  const fileId = world.deleted.length > 0 ? world.random.pick(world.deleted) : 'f_000000000000';
  await expect(world.service.info(fileId)).rejects.toEqual(code('not_found'));
  await expect(world.service.delete(fileId)).rejects.toEqual(code('not_found'));
}

async function counts(world: World): Promise<void> {
  const all = [...world.files.values()];
  const answer = await world.service.counts();
  expect(answer).toMatchObject({
    files: all.length,
    versions: all.reduce((sum, file) => sum + file.versions.length, 0),
    bytes: all.reduce((sum, file) => sum + file.versions.reduce((bytes, { length }) => bytes + length, 0), 0),
  });
}

async function createSession(world: World): Promise<void> {
  if (world.uploads.size > 5) return;
  const bytes = world.someBytes();
  const name = world.random.pick(names);
  const { uploadId } = await world.sessions.create(name, bytes.length);
  world.uploads.set(uploadId, { name, bytes, offset: 0 });
}

async function appendToSession(world: World): Promise<void> {
  if (world.uploads.size === 0) return;
  const { random, sessions } = world;
  const [uploadId, upload] = random.pick([...world.uploads]);
  const end = random.between(upload.offset, upload.bytes.length);
  const pieces = randomSplit(random, upload.bytes.subarray(upload.offset, end), 20_000);
  const offset = random.chance(0.1) ? upload.offset + 1 : upload.offset;
  const part = sessions.append(uploadId, offset, streamOf(pieces));
  if (offset === upload.offset) {
    expect((await part).offset).toBe(end);
    upload.offset = end;
  } else await expect(part).rejects.toEqual(code('conflict'));
}

async function endSession(world: World): Promise<void> {
  if (world.uploads.size === 0) return;
  const { random, sessions } = world;
  const [uploadId, { name, bytes, offset }] = random.pick([...world.uploads]);
  if (offset < bytes.length) await expect(sessions.complete(uploadId)).rejects.toEqual(code('invalid_argument'));
  if (offset < bytes.length && random.chance(0.9)) return;
  world.uploads.delete(uploadId);
  if (offset < bytes.length) {
    await sessions.abort(uploadId);
    return;
  }
  const { fileId, version } = await sessions.complete(uploadId);
  world.added(fileId, name, bytes, version);
}

async function listSessions(world: World): Promise<void> {
  const { items } = await world.sessions.list({ pageSize: 100 });
  const known = items.map(({ uploadId, name, size, offset }) => [uploadId, name, size, offset]);
  const want = [...world.uploads].map(([uploadId, { name, bytes, offset }]) => [uploadId, name, bytes.length, offset]);
  expect(known.toSorted()).toEqual(want.toSorted());
}

async function restart(world: World): Promise<void> {
  await world.stop();
  await world.start();
}

/** How often each is done. */
const operations: readonly (readonly [weight: number, operation: (world: World) => Promise<void>])[] = [
  [240, upload],
  [300, read],
  [80, list],
  [40, versions],
  [30, restore],
  [60, remove],
  [20, missing],
  [20, counts],
  [40, createSession],
  [120, appendToSession],
  [80, endSession],
  [10, listSessions],
  [3, restart],
];

describe('files', () => {
  const seed = testSeed('files against a map');

  it('do what a map of names to versions does', { timeout: 300_000 }, () =>
    withDirectory(async (directory) => {
      const world = new World(seededRandom(seed), directory);
      const all = operations.flatMap(([weight, operation]) => Array<typeof operation>(weight).fill(operation));
      await world.start();
      try {
        for (let count = 0; count < 10_000 * testRounds(); count++) {
          const operation = world.random.pick(all);
          const work = withinAMinute(operation(world), () => 'it waits for what does not come');
          await work.catch((cause: unknown) => {
            throw new Error(`operation ${count}, ${operation.name}: ${cause}`, { cause });
          });
        }
      } finally {
        await world.stop();
      }
    }),
  );
});
