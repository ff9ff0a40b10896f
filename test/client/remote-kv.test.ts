// Watches over a network that breaks.

import { Code, ConnectError, createRouterTransport } from '@connectrpc/connect';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { systemRandom } from '../../src/base/random.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import type { CairnClient } from '../../src/client/cairn-client.js';
import { connect } from '../../src/client/client.js';
import { RemoteKv } from '../../src/client/remote-kv.js';
import { MetaService } from '../../src/gen/cairn/v1/meta_service_pb.js';
import { everyKey, textKey } from '../../src/meta/keys.js';
import type { KvStore } from '../../src/meta/kv.js';
import { expectCode, iterate, putOne, take } from '../conformance/kv-kit.js';
import { type CuttingProxy, startCuttingProxy } from '../support/cutting-proxy.js';
import { type Served, serve } from '../support/served.js';

let served: Served;
let proxy: CuttingProxy;
let clients: CairnClient[];
/** Straight to the server. */
let direct: KvStore;
/** Through the proxy. */
let kv: KvStore;

beforeEach(async () => {
  served = await serve(new MemoryStore());
  proxy = await startCuttingProxy(served.url);
  clients = [connect(served.url), connect(proxy.url)];
  [direct, kv] = (await Promise.all(clients.map((client) => client.metadata()))) as [KvStore, KvStore];
});

afterEach(async () => {
  for (const client of clients) client.close();
  await proxy.close();
  await served.server.close();
});

const puts = async (count: number) => {
  const revisions: number[] = [];
  for (let i = 0; i < count; i++) revisions.push(await putOne(direct, textKey('key'), `${i}`));
  return revisions;
};

it('a watch goes on where it was when its connection broke, and leaves nothing out', async () => {
  const [from, ...before] = await puts(3);
  const watch = iterate(kv.watch(everyKey, { from: from! + 1 }));
  const seen = await take(watch, 2);
  for (let round = 0; round < 3; round++) {
    const waiting = take(watch, 4);
    proxy.refuses = true;
    proxy.cutAll();
    before.push(...(await puts(4)));
    proxy.refuses = false;
    seen.push(...(await waiting));
  }
  expect(seen.map(({ revision }) => revision)).toEqual(before);
  await watch.return?.();
});

it('a watch that nothing has come to yet goes on, too', async () => {
  let asked = 0;
  const transport = createRouterTransport(({ rpc }) => {
    rpc(MetaService.method.watchKeys, async function* () {
      if (asked++ === 0) throw new ConnectError('draining', Code.Unavailable);
      yield { revision: 7n };
    });
  });
  const remote = new RemoteKv({ transport, call: () => Promise.reject(), clock: systemClock, random: systemRandom });
  expect(await take(iterate(remote.watch(everyKey, { from: 5 })), 1)).toEqual([{ revision: 7, events: [] }]);
});

it('a watch fails when what it missed has been compacted', async () => {
  const [from] = await puts(1);
  const watch = iterate(kv.watch(everyKey, { from: from! }));
  await take(watch, 1);
  const waiting = expectCode(watch.next(), 'out_of_range');
  proxy.refuses = true;
  proxy.cutAll();
  await direct.compact((await puts(2)).at(-1)!);
  proxy.refuses = false;
  await waiting;
});

it('a watch of a server that was never there fails', async () => {
  proxy.refuses = true;
  await expectCode(iterate(kv.watch(everyKey, { from: 1 })).next(), 'unavailable');
});

it('a watch that waits for its server ends with its signal', async () => {
  const [from] = await puts(1);
  const end = new AbortController();
  const watch = iterate(kv.watch(everyKey, { from: from!, signal: end.signal }));
  await take(watch, 1);
  const waiting = expectCode(watch.next(), 'canceled');
  proxy.refuses = true;
  proxy.cutAll();
  end.abort();
  await waiting;
});
