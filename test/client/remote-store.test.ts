// The blob store suite over a real server, through the client.

import { describe, expect, it } from 'vitest';
import { errorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { connect } from '../../src/client/client.js';
import { RemoteStore } from '../../src/client/remote-store.js';
import { blobStoreSuite } from '../conformance/blob-store.js';
import type { OpenedStore } from '../conformance/blob-store-kit.js';
import { serve } from '../support/served.js';

async function openRemote(): Promise<OpenedStore> {
  const served = await serve(new MemoryStore());
  const store = new RemoteStore({ client: connect(served.url), durability: 'memory' });
  return {
    store,
    async close() {
      await store.close();
      await served.server.close();
    },
  };
}

blobStoreSuite('RemoteStore', openRemote, {
  durability: 'memory',
  localPath: false,
  answersOvertaken: false,
  existedInRaces: false,
  cancelIsFinal: false,
  readsAfterDelete: false,
  usage: true,
  sourceErrorsAsTheyAre: true,
});

describe('RemoteStore', () => {
  it('refuses a stream of unknown digest that is longer than it may hold', async () => {
    const { store, close } = await openRemote();
    const piece = new Uint8Array(limits.uploadChunkBytes);
    async function* long() {
      for (let bytes = 0; bytes <= limits.unnamedSourceBytesMax; bytes += piece.length) yield piece;
    }
    await expect(store.write(long()).catch((error: unknown) => Promise.reject(errorCode(error)))).rejects.toBe(
      'too_large',
    );
    await close();
  });
});
