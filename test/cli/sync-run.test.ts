// One run of a sync against a server that fails in a chosen place.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { hashHex } from '../../src/base/digest.js';
import { CairnError } from '../../src/base/errors.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { FileMemory } from '../../src/cli/file-memory.js';
import { SyncReader } from '../../src/cli/sync-reader.js';
import { type SyncParts, type SyncResult, syncDirectory } from '../../src/cli/sync-run.js';
import { CairnClient } from '../../src/client/cairn-client.js';
import { openNodeTransport } from '../../src/client/node-transport.js';
import type { PutItem, PutManyOptions, PutPack, PutSummary } from '../../src/client/put-many.js';
import { type Served, serve } from '../support/served.js';

/** Its putMany can be made to fail once everything was taken from the source. */
class FailingClient extends CairnClient {
  failsAfterRead = false;
  beforePut: () => void = () => {};
  /** What was put, call by call. */
  readonly puts: string[][] = [];

  override async putMany<Item extends PutItem, Pack extends PutPack = never>(
    items: Iterable<Item | Pack> | AsyncIterable<Item | Pack>,
    options?: PutManyOptions<Item, Pack>,
  ): Promise<PutSummary> {
    if (!this.failsAfterRead) {
      const taken: (Item | Pack)[] = [];
      for await (const item of items) taken.push(item);
      this.beforePut();
      const digests = taken.flatMap((put) => ('pack' in put ? put.pack.digests : [put.digest]));
      this.puts.push(digests.map(({ hash }) => hashHex(hash)));
      return super.putMany(taken, options);
    }
    for await (const _ of items);
    throw new CairnError('unavailable', 'the server is away');
  }
}

let folder: string;
let directory: string;
let served: Served;
let client: FailingClient;
let reader: SyncReader;
let problems: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cairn-sync-run-'));
  directory = mkdtempSync(join(folder, 'tree-'));
  served = await serve(new MemoryStore());
  client = new FailingClient(openNodeTransport(served.url));
  reader = new SyncReader();
  problems = [];
});

afterEach(async () => {
  await reader.close();
  client.close();
  await served.server.close();
  rmSync(folder, { recursive: true, force: true });
});

function run(changes: Partial<SyncParts> = {}): Promise<SyncResult> {
  return syncDirectory({
    client,
    clock: systemClock,
    signal: new AbortController().signal,
    reader,
    directory,
    memory: join(folder, 'memory'),
    isExcluded: undefined,
    onProblem: (path, error) => problems.push(`${path}: ${error.message}`),
    onWarning: () => {},
    expect: () => {},
    advance: () => {},
    ...changes,
  });
}

describe('syncDirectory', () => {
  it('remembers what it read before it failed, and what it had remembered of the rest', async () => {
    for (let i = 0; i < 10; i++) writeFileSync(join(directory, `file ${i}`), `${i}`);
    await sleep(250);
    client.failsAfterRead = true;
    await expect(run()).rejects.toMatchObject({ code: 'unavailable' });
    expect(FileMemory.read(join(folder, 'memory'), directory)).toMatchObject({ count: 10, tree: undefined });
    client.failsAfterRead = false;
    expect(await run()).toMatchObject({ files: 10, filesRead: 0, blobsUploaded: 11 });
    expect(FileMemory.read(join(folder, 'memory'), directory)!.tree).toBeDefined();
  });

  it('keeps a good memory when it fails without news', async () => {
    writeFileSync(join(directory, 'file'), 'file');
    await sleep(250);
    const { tree } = await run();
    client.failsAfterRead = true;
    await expect(run()).rejects.toMatchObject({ code: 'unavailable' });
    expect(FileMemory.read(join(folder, 'memory'), directory)!.tree).toEqual(tree);
  });

  it('reads a file again that changed between its hashing and its sending', async () => {
    const path = join(directory, 'large');
    writeFileSync(path, new Uint8Array(200_000).fill(1));
    writeFileSync(join(directory, 'small'), 'small');
    let changes = 0;
    client.beforePut = () => {
      if (changes++ === 0) writeFileSync(path, new Uint8Array(200_001).fill(2));
    };
    const result = await run();
    expect(result).toMatchObject({ files: 2, bytes: 200_006, problems: 0 });
    expect((await client.checkTree(result.tree)).complete).toBe(true);
  });

  it('leaves out a file that changes every time, and one that is gone', async () => {
    const path = join(directory, 'large');
    writeFileSync(path, new Uint8Array(200_000));
    writeFileSync(join(directory, 'small'), 'small');
    let changes = 0;
    client.beforePut = () => writeFileSync(path, new Uint8Array(200_000).fill(++changes));
    const result = await run();
    expect(result).toMatchObject({ files: 1, problems: 1 });
    expect(problems).toEqual(['large: cannot read large: it keeps changing while it is read']);
    client.beforePut = () => rmSync(path, { force: true });
    expect(await run()).toMatchObject({ files: 1, problems: 1 });
    expect(problems[1]).toMatch(/^large: cannot read .*ENOENT/);
    expect(await run()).toMatchObject({ files: 1, problems: 0 });
  });

  it('puts files before nodes, and the root alone at the end', async () => {
    for (let i = 0; i < 500; i++) writeFileSync(join(directory, `file ${i}`), `${i}`);
    const { tree } = await run();
    const [files, nodes, root] = client.puts.filter(({ length }) => length > 0);
    expect(files).toHaveLength(500);
    expect(nodes!.length).toBeGreaterThan(1);
    expect(root).toEqual([hashHex(tree)]);
  });

  it('puts nothing when the server has all that is remembered, and everything when it has not', async () => {
    for (let i = 0; i < 20; i++) writeFileSync(join(directory, `file ${i}`), `${i}`);
    await sleep(250);
    const { tree } = await run();
    client.puts.length = 0;
    expect(await run()).toMatchObject({ tree, blobsMissing: 0, filesRead: 0 });
    expect(client.puts.flat()).toEqual([]);
    await client.delete([digestBlob(Buffer.from('7')).hash]);
    expect(await run()).toMatchObject({ tree, blobsMissing: 1, blobsUploaded: 1, filesRead: 0 });
    expect(client.puts.flat()).toHaveLength(21);
    // A file that is gone from both sides since it was read is no part of the tree.
    await client.delete([digestBlob(Buffer.from('7')).hash]);
    rmSync(join(directory, 'file 7'));
    const without7 = await run();
    expect(without7).toMatchObject({ files: 19, problems: 0 });
    // All that remains is as it was, and the server has it all.
    rmSync(join(directory, 'file 9'));
    const without9 = await run();
    expect(without9).toMatchObject({ files: 18, filesRead: 0, blobsUploaded: 1 });
    expect(without9.tree).not.toEqual(without7.tree);
  });

  it('stops when its signal is raised', async () => {
    for (let i = 0; i < 100; i++) writeFileSync(join(directory, `file ${i}`), `${i}`);
    const stopping = new AbortController();
    client.beforePut = () => stopping.abort();
    await expect(run({ signal: stopping.signal })).rejects.toMatchObject({ code: 'canceled' });
  });
});
