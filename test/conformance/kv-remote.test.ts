// The metadata suite over MetaService, so over the whole way from a client to a server's store and back.

import { MemoryStore } from '../../src/cas/memory-store.js';
import { connect } from '../../src/client/client.js';
import { serve } from '../support/served.js';
import { kvSuite } from './kv.js';

kvSuite({
  name: 'RemoteKv',
  open: async () => {
    const { server, url } = await serve(new MemoryStore());
    const client = connect(url);
    const kv = await client.metadata();
    return {
      kv,
      async close() {
        await kv.close();
        client.close();
        await server.close();
      },
    };
  },
});
