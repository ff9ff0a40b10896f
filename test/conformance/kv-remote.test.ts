// The metadata suite over MetaService, so over the whole way from a client to a server's store and back.

import { MemoryStore } from '../../src/cas/memory-store.js';
import { serve } from '../support/served.js';
import { kvSuite } from './kv.js';
import { openRemoteKv } from './kv-kit.js';

kvSuite({
  name: 'RemoteKv',
  open: async () => {
    const { server, url } = await serve(new MemoryStore());
    const { kv, close } = await openRemoteKv(url);
    return {
      kv,
      async close() {
        await close();
        await server.close();
      },
    };
  },
});
