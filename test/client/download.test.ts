// Downloads over connections that break: through a proxy that cuts them.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { type Digest, hashHex } from '../../src/base/digest.js';
import { errorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { createHasher, digestBlob } from '../../src/blake3/hasher.js';
import { CairnClient } from '../../src/client/cairn-client.js';
import { connect } from '../../src/client/client.js';
import { openNodeTransport } from '../../src/client/node-transport.js';
import { type CuttingProxy, startCuttingProxy } from '../support/cutting-proxy.js';
import { seededRandom } from '../support/random.js';
import { type Served, serve, WatchedStore } from '../support/served.js';

/** Waits are noted and cut short. */
class HastyClock implements Clock {
  readonly waits: number[] = [];
  onWait: () => void = () => {};
  now = () => systemClock.now();
  monotonic = () => systemClock.monotonic();
  after(milliseconds: number, callback: () => void): () => void {
    this.waits.push(milliseconds);
    this.onWait();
    return systemClock.after(1, callback);
  }
}

const bytes = seededRandom(5).bytes(6_000_000);
let served: Served;
let proxy: CuttingProxy;
let clock: HastyClock;
let client: CairnClient;
let digest: Digest;

beforeEach(async () => {
  // Tokens are required, so that each new connection needs one of its own.
  served = await serve(new WatchedStore(), { transportTokens: 'required' });
  const direct = connect(served.url);
  digest = (await direct.put(bytes)).digest;
  direct.close();
  proxy = await startCuttingProxy(served.url);
  clock = new HastyClock();
  client = new CairnClient(openNodeTransport(proxy.url), clock);
});

afterEach(async () => {
  client.close();
  await proxy.close();
  await served.server.close();
});

async function hashOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const hasher = createHasher();
  for await (const piece of pieces) hasher.update(piece);
  return hashHex(hasher.digest().hash);
}

describe('a download', () => {
  it('goes on where the connection broke, until it is whole', async () => {
    proxy.cutAfterBytes = 1_000_000;
    expect(await hashOf(client.get(digest))).toBe(hashHex(digest.hash));
    expect(proxy.connectionCount).toBeGreaterThan(4);
    expect(proxy.connectionCount).toBeLessThan(20);
  });

  it('does so for ranges', async () => {
    proxy.cutAfterBytes = 700_000;
    const pieces = [];
    for await (const piece of client.get(digest, { start: 1_234_567, length: 3_000_000 })) pieces.push(piece.slice());
    expect(Buffer.compare(Buffer.concat(pieces), bytes.subarray(1_234_567, 4_234_567))).toBe(0);
    expect(proxy.connectionCount).toBeGreaterThan(3);
  });

  it('gives up after so many attempts that brought nothing, waiting longer each time', async () => {
    const reading = (async () => {
      for await (const _ of client.get(digest)) {
        proxy.refuses = true;
        proxy.cutAll();
      }
    })();
    await expect(reading.catch((error: unknown) => Promise.reject(errorCode(error)))).rejects.toBe('unavailable');
    expect(clock.waits).toHaveLength(limits.downloadAttemptsCountMax - 1);
    expect(clock.waits).toEqual([...clock.waits].sort((a, b) => a - b));
    expect(clock.waits[0]).toBeGreaterThanOrEqual(limits.downloadRetryMillisecondsMin);
    expect(clock.waits[0]).toBeLessThan(2 * limits.downloadRetryMillisecondsMin);
  });

  it('of no bytes asks until it is told whether the blob is there', async () => {
    const absent = digestBlob(seededRandom(6).bytes(10));
    // The connections that are there already stay.
    await client.recommendedConcurrency();
    proxy.refuses = true;
    clock.onWait = () => {
      proxy.refuses = false;
    };
    const reading = hashOf(client.get(absent, { start: 10, length: 0 }));
    await expect(reading.catch((error: unknown) => Promise.reject(errorCode(error)))).rejects.toBe('not_found');
    expect(clock.waits).toHaveLength(1);
  });

  it('that waits to try again can be given up', async () => {
    const stopping = new AbortController();
    clock.after = () => {
      // A wait without an end.
      stopping.abort();
      return () => {};
    };
    const reading = (async () => {
      for await (const _ of client.get(digest, { signal: stopping.signal })) proxy.cutAll();
    })();
    await expect(reading.catch((error: unknown) => Promise.reject(errorCode(error)))).rejects.toBe('canceled');
  });

  it('reports a server that cannot be reached at once', async () => {
    proxy.refuses = true;
    await expect(hashOf(client.get(digest)).catch((error: unknown) => Promise.reject(errorCode(error)))).rejects.toBe(
      'unavailable',
    );
    expect(clock.waits).toEqual([]);
  });

  it('does not go on when the server was there and said no', async () => {
    const direct = connect(served.url);
    let pieces = 0;
    const reading = (async () => {
      for await (const _ of client.get(digest)) {
        if (++pieces > 1) continue;
        await direct.delete([digest.hash]);
        proxy.cutAll();
      }
    })();
    await expect(reading.catch((error: unknown) => Promise.reject(errorCode(error)))).rejects.toBe('not_found');
    direct.close();
  });
});
