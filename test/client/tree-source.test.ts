// Nodes of trees from a server.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Digest } from '../../src/base/digest.js';
import { emptyDigest } from '../../src/base/digest.js';
import { errorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { CairnClient } from '../../src/client/cairn-client.js';
import { connect } from '../../src/client/client.js';
import { openNodeTransport } from '../../src/client/node-transport.js';
import { treeSource } from '../../src/client/tree-source.js';
import { buildTree } from '../../src/tree/build-tree.js';
import type { TreeItem } from '../../src/tree/tree-item.js';
import { TreeReader } from '../../src/tree/tree-reader.js';
import { type Served, serve, WatchedStore } from '../support/served.js';

let store: WatchedStore;
let served: Served;
let client: CairnClient;
const nodes: Digest[] = [];
const items: TreeItem[] = Array.from({ length: 20_000 }, (_, i) => ({
  kind: 'file',
  path: `file ${String(i).padStart(5, '0')}`,
  digest: digestBlob(Buffer.from(`${i}`)),
  executable: false,
  readonly: false,
}));

beforeAll(async () => {
  store = new WatchedStore();
  served = await serve(store);
  client = connect(served.url);
  await buildTree(items, async (digest, bytes) => {
    nodes.push(digest);
    await store.write(bytes);
  });
});

afterAll(async () => {
  client.close();
  await served.server.close();
});

/** A client that counts its calls. */
class CountingClient extends CairnClient {
  readonly calls = { stat: 0, readBatch: 0 };

  override stat(...args: Parameters<CairnClient['stat']>): ReturnType<CairnClient['stat']> {
    this.calls.stat++;
    return super.stat(...args);
  }

  override readBatch(...args: Parameters<CairnClient['readBatch']>): ReturnType<CairnClient['readBatch']> {
    this.calls.readBatch++;
    return super.readBatch(...args);
  }
}

function counting(): { readonly calls: CountingClient['calls']; readonly counted: CountingClient } {
  const counted = new CountingClient(openNodeTransport(served.url));
  return { calls: counted.calls, counted };
}

describe('treeSource', () => {
  it('reads a whole tree in few calls', async () => {
    const { calls, counted } = counting();
    const reader = await TreeReader.open(treeSource(counted), nodes.at(-1)!.hash);
    const read: TreeItem[] = [];
    for await (const item of reader.items()) read.push(item);
    expect(read.map(({ path }) => path)).toEqual(items.map(({ path }) => path));
    // The root's size alone is unknown.
    expect(calls.stat).toBe(1);
    expect(calls.readBatch).toBeLessThan(nodes.length / 8);
    counted.close();
  });

  it('fetches what is asked for in one turn together, known or not', async () => {
    const { calls, counted } = counting();
    const source = treeSource(counted);
    const absent = digestBlob(Buffer.from('absent')).hash;
    const asked = [...nodes.slice(0, 20).map(({ hash }) => hash), absent, emptyDigest.hash];
    const read = await Promise.all(asked.map(source));
    expect(read.map((bytes) => bytes && digestBlob(bytes).hash)).toEqual(
      asked.map((hash) => (hash === absent ? undefined : hash)),
    );
    expect(calls).toEqual({ stat: 1, readBatch: 1 });
    counted.close();
  });

  it('refuses a blob larger than any node without reading it', async () => {
    const bytes = new Uint8Array(limits.treeNodeBytesMax + 1);
    await store.write(bytes);
    let reads = 0;
    store.onRead = () => reads++;
    const outcomes = await Promise.allSettled([digestBlob(bytes).hash, nodes[0]!.hash].map(treeSource(client)));
    expect(outcomes.map((outcome) => (outcome.status === 'rejected' ? errorCode(outcome.reason) : 'read'))).toEqual([
      'invalid_argument',
      'read',
    ]);
    expect(reads).toBe(1);
  });

  it('tells everybody who asked when the call fails', async () => {
    const lost = connect('http://127.0.0.1:1');
    const source = treeSource(lost);
    const outcomes = await Promise.allSettled([source(nodes[0]!.hash), source(nodes[1]!.hash)]);
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && errorCode(outcome.reason))).toEqual([
      'unavailable',
      'unavailable',
    ]);
    lost.close();
  });
});
