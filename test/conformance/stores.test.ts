// The blob store suite over every implementation, plain and decorated. A new one is one more row of `stores`.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobStore, Durability } from '../../src/base/blob-store.js';
import { systemClock } from '../../src/base/clock.js';
import { systemRandom } from '../../src/base/random.js';
import type { LocalStore } from '../../src/cas/local-store.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { MeteredStore } from '../../src/cas/metered-store.js';
import type { LocalStoreOptions } from '../../src/cas/open-local-store.js';
import { SharedStore } from '../../src/cas/shared-store.js';
import type { SharedChange } from '../../src/cas/store-owner.js';
import { VerifyingStore } from '../../src/cas/verifying-store.js';
import { CairnClient } from '../../src/client/cairn-client.js';
import { openNodeTransport } from '../../src/client/node-transport.js';
import { RemoteStore } from '../../src/client/remote-store.js';
import { MaintenanceStore } from '../../src/cluster/maintenance-store.js';
import { nodeFileSystem } from '../../src/log/node-file-system.js';
import { linkedOwner, storeHandlers } from '../../src/server/store-link.js';
import { ThreadLink } from '../../src/server/thread-link.js';
import { openStoreIn } from '../support/local-store.js';
import { serve } from '../support/served.js';
import { blobStoreSuite } from './blob-store.js';
import type { OpenedStore, StoreSupports } from './blob-store-kit.js';

interface Row {
  readonly name: string;
  readonly open: () => Promise<OpenedStore>;
  readonly supports: StoreSupports;
}

const memory: Row = {
  name: 'MemoryStore',
  open: async () => {
    const store = new MemoryStore();
    return { store, close: () => store.close() };
  },
  supports: {
    durability: 'memory',
    localPath: false,
    answersOvertaken: false,
    existedInRaces: true,
    cancelIsFinal: true,
    readsAfterDelete: true,
    sourceErrorsAsTheyAre: true,
    usage: true,
  },
};

function decorated(row: Row, name: string, decorate: (store: BlobStore) => BlobStore): Row {
  return {
    name: `${name} over ${row.name}`,
    supports: row.supports,
    async open() {
      const inner = await row.open();
      const { reopen } = inner;
      return {
        store: decorate(inner.store),
        close: () => inner.close(),
        ...(reopen && { reopen: async () => decorate(await reopen.call(inner)) }),
      };
    },
  };
}

const metered = (row: Row) =>
  decorated(row, 'MeteredStore', (store) => new MeteredStore({ store, clock: systemClock, observe: () => {} }));
const verifying = (row: Row) => decorated(row, 'VerifyingStore', (store) => new VerifyingStore(store));
const maintained = (row: Row) =>
  decorated(row, 'MaintenanceStore', (store) => new MaintenanceStore(store, { refuseWrites: () => {} }));

/** On the real disk, with the real index. */
function local(
  durability: Durability,
  name = `LocalStore (${durability})`,
  given: Partial<LocalStoreOptions> = {},
): Row {
  const options = { ...given, durability };
  return {
    name,
    open: async () => {
      const directory = await mkdtemp(join(tmpdir(), 'cairn-conformance-'));
      let store = await openStoreIn(directory, options);
      return {
        store,
        async reopen() {
          await store.close();
          store = await openStoreIn(directory, options);
          return store;
        },
        async close() {
          await store.close();
          await rm(directory, { recursive: true, force: true });
        },
      };
    },
    supports: { ...memory.supports, durability, localPath: true, answersOvertaken: true },
  };
}

const disk = local('disk');
/** Rows of blobs leave memory as soon as the index has them, which is soon. */
const beyondMemory = local('disk', 'LocalStore (disk, rows beyond memory)', {
  indexMemoryBytes: 0,
  tableSaveChangesMin: 20,
  maintenanceIntervalMilliseconds: 1,
});

/** The store on disk behind a server, on a connection of its own. Over a store in memory: `test/client`. */
const remote: Row = {
  name: 'RemoteStore over LocalStore (disk)',
  open: async () => {
    const inner = await disk.open();
    const { server, url } = await serve(inner.store);
    const store = new RemoteStore({ client: new CairnClient(openNodeTransport(url)), durability: 'disk' });
    return {
      store,
      async close() {
        await store.close();
        await server.close();
        await inner.close();
      },
    };
  },
  supports: { ...disk.supports, existedInRaces: false, cancelIsFinal: false, readsAfterDelete: false },
};

/** The store on disk as another thread uses it: its table read while it changes, everything else asked by messages. */
const shared: Row = {
  name: 'SharedStore beside LocalStore (disk)',
  open: async () => {
    const inner = await disk.open();
    const { port1, port2 } = new MessageChannel();
    let store: SharedStore | undefined;
    const link = new ThreadLink(port2, { changed: (change: SharedChange) => store?.changed(change) });
    const { parts, owner } = (inner.store as LocalStore).share((change) => answering.tell('changed', change));
    const answering = new ThreadLink(port1, storeHandlers(owner));
    store = new SharedStore({
      shared: parts,
      owner: linkedOwner(link),
      fs: nodeFileSystem,
      clock: systemClock,
      random: systemRandom,
    });
    return {
      store,
      async close() {
        await store?.close();
        await inner.close();
        port1.close();
      },
    };
  },
  supports: { ...disk.supports },
};

const locals = [disk, local('memory'), beyondMemory, metered(disk), verifying(disk)];
const stores: Row[] = [memory, metered(memory), verifying(memory), maintained(memory), ...locals, shared, remote];

for (const { name, open, supports } of stores) blobStoreSuite(name, open, supports);
