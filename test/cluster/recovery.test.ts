import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { type BlobHash, emptyDigest, hashHex, toHash } from '../../src/base/digest.js';
import { CairnError, errorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { systemRandom } from '../../src/base/random.js';
import { Recovery } from '../../src/cluster/recovery.js';
import { WatchedStore } from '../support/served.js';

async function setUp(count = 3) {
  const store = new WatchedStore();
  const chunks: BlobHash[] = [];
  for (let i = 0; i < count; i++) chunks.push((await store.write(new Uint8Array(100 + i))).digest.hash);
  return { store, chunks, recovery: new Recovery({ store, clock: systemClock, random: systemRandom }) };
}

const ended = (recovery: Recovery, taskId: string) =>
  expect.poll(() => recovery.find(taskId)).toMatchObject({ state: 'completed' });

describe('recovery', () => {
  it('reads every chunk whole', async () => {
    const { store, recovery } = await setUp();
    const { digest } = await store.write(new Uint8Array(3 * limits.readBytesMax + 5));
    let bytes = 0;
    store.onRead = ({ start, end }) => {
      bytes += end - start;
    };
    const { taskId } = await recovery.start([digest.hash, emptyDigest.hash], 'normal');
    await ended(recovery, taskId);
    expect(bytes).toBe(digest.size);
    expect(recovery.find(taskId)).toMatchObject({ totalChunks: 2, verifiedChunks: 2, lostChunks: [] });
    expect(store.openHandles).toBe(0);
  });

  it('tells which are damaged or went away', async () => {
    const { store, chunks, recovery } = await setUp();
    let reads = 0;
    store.beforeRead = async () => {
      if (++reads > 1) throw new CairnError('corrupt', 'bits fell over');
      await store.delete([chunks[2]!]);
    };
    const { taskId } = await recovery.start(chunks, 'low');
    await ended(recovery, taskId);
    const { verifiedChunks, lostChunks } = recovery.find(taskId);
    expect([verifiedChunks, lostChunks.map(hashHex)]).toEqual([1, chunks.slice(1).map(hashHex)]);
    expect(store.openHandles).toBe(0);
  });

  it('does the urgent first, and takes a bounded number', async () => {
    const { store, chunks, recovery } = await setUp();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const order: number[] = [];
    store.onRead = ({ end }) => order.push(end - 100);
    store.beforeRead = () => held;
    await recovery.start([chunks[0]!], 'low');
    const { taskId: last } = await recovery.start([chunks[1]!], 'normal');
    await recovery.start([chunks[2]!], 'high');
    for (let i = 2; i < limits.recoveryTasksWaitingCountMax; i++) await recovery.start([chunks[0]!], 'high');
    expect(await recovery.start(chunks, 'high').catch(errorCode)).toBe('overloaded');
    release();
    await ended(recovery, last);
    expect(order.slice(0, 2)).toEqual([0, 2]);
    expect(order.at(-1)).toBe(1);
  });

  it('begins nothing for a chunk that is not here', async () => {
    const { chunks, recovery, store } = await setUp();
    const error = await recovery
      .start([...chunks, toHash(new Uint8Array(32))], 'high')
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'not_found', subject: { kind: 'chunk', id: `c_${'00'.repeat(32)}` } });
    expect(store.openHandles).toBe(0);
    expect(() => recovery.find('t_none')).toThrow(CairnError);
  });

  it('ends when it is closed', async () => {
    const { store, chunks, recovery } = await setUp();
    let reads = 0;
    store.onRead = () => reads++;
    store.beforeRead = () => new Promise((resolve) => setImmediate(resolve));
    await recovery.start(chunks, 'normal');
    await recovery.close();
    const after = reads;
    await new Promise((resolve) => setImmediate(resolve));
    expect([reads, store.openHandles]).toEqual([after, 0]);
  });
});
