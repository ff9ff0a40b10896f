import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { type BlobHash, toHash } from '../../src/base/digest.js';
import { BlobTable, type ShardBuffer } from '../../src/cas/blob-table.js';
import { mixHash, shardOfMix } from '../../src/cas/table-slot.js';
import { TableView } from '../../src/cas/table-view.js';
import { seededRandom } from '../support/random.js';

function hashOf(number: number): BlobHash {
  return toHash(seededRandom(number).bytes(32));
}

function rowOf(number: number) {
  return { size: number * 2 ** 20, segment: number, offset: 8 * number, large: number % 3 === 0 };
}

describe('TableView', () => {
  it('sees every change, also those that move a shard it was told of', () => {
    const table = BlobTable.create(seededRandom(1));
    const moves: [number, ShardBuffer][] = [];
    const view = new TableView(table.share((shard, moved) => moves.push([shard, moved])));
    for (let i = 0; i < 20_000; i++) table.set(hashOf(i), rowOf(i));
    expect(view.find(hashOf(0))).toBe('unknown');
    for (const [shard, moved] of moves.splice(0)) view.moved(shard, moved);
    for (let i = 0; i < 20_000; i++) expect(view.find(hashOf(i))).toEqual(rowOf(i));
    expect(view.find(hashOf(20_000))).toBeUndefined();
    for (let i = 0; i < 20_000; i += 2) table.delete(hashOf(i));
    for (const [shard, moved] of moves) view.moved(shard, moved);
    for (let i = 0; i < 20_000; i++) expect(view.find(hashOf(i))).toEqual(i % 2 === 0 ? undefined : rowOf(i));
  });

  it('is handed a table that is full already', () => {
    const table = BlobTable.create(seededRandom(2));
    for (let i = 0; i < 5000; i++) table.set(hashOf(i), rowOf(i));
    const view = new TableView(table.share(() => {}));
    for (let i = 0; i < 5000; i++) expect(view.find(hashOf(i))).toEqual(rowOf(i));
  });

  it('never finds half a change while another thread makes them', async () => {
    const table = BlobTable.create(seededRandom(3));
    // All in one shard, so that their runs are long. Those with an even index stay, but are moved about by the others.
    const hashes: BlobHash[] = [];
    for (let i = 0; hashes.length < 64; i++) {
      if (shardOfMix(mixHash(hashOf(i), ...table.secret)) === 0) hashes.push(hashOf(i));
    }
    for (const hash of hashes) table.set(hash, { size: 1, segment: 1, offset: 8, large: false });
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const reader = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       import(workerData.module).then(({ TableView }) => {
         const { shared, hashes, stop } = workerData;
         const view = new TableView(shared);
         const seen = { found: 0, torn: 0 };
         parentPort.postMessage('begun');
         while (Atomics.load(stop, 0) === 0) {
           for (const [index, hash] of hashes.entries()) {
             const row = view.find(hash);
             if (row === 'unknown') continue;
             if (row === undefined ? index % 2 === 0 : row.size !== row.segment || row.segment * 8 !== row.offset) seen.torn++;
             else seen.found++;
           }
         }
         parentPort.postMessage(seen);
       });`,
      {
        eval: true,
        workerData: {
          module: new URL('../../dist/cas/table-view.js', import.meta.url).href,
          shared: table.share(() => {}),
          hashes,
          stop,
        },
      },
    );
    const told = () => new Promise((resolve) => reader.once('message', resolve));
    expect(await told()).toBe('begun');
    const random = seededRandom(4);
    const seen = told();
    for (let round = 0; round < 2000; round++) {
      for (const byte of random.bytes(256)) {
        const index = byte % hashes.length;
        const number = 256 * round + byte;
        const hash = hashes[index]!;
        if (index % 2 === 1 && byte >= 128) table.delete(hash);
        else table.set(hash, { size: number, segment: number, offset: 8 * number, large: false });
      }
    }
    Atomics.store(stop, 0, 1);
    expect(await seen).toMatchObject({ torn: 0, found: expect.any(Number) });
    await reader.terminate();
  });
});
