// The blob store suite over every implementation, plain and decorated. A new one is one more row of `stores`.

import type { BlobStore } from '../../src/base/blob-store.js';
import { systemClock } from '../../src/base/clock.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { MeteredStore } from '../../src/cas/metered-store.js';
import { VerifyingStore } from '../../src/cas/verifying-store.js';
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
    readsAfterDelete: true,
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

// LocalStore and RemoteStore go here, as rows like the one of MemoryStore.
const stores: Row[] = [memory, metered(memory), verifying(memory)];

for (const { name, open, supports } of stores) blobStoreSuite(name, open, supports);
