// The wire suite over the real thing: the composed server on its one port, over a store on disk, with the lane and without.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverConfig } from '../../../src/server/config.js';
import { startServer } from '../../../src/server/server.js';
import { type WireServer, wireSuite } from '../../conformance/wire.js';

for (const lane of [true, false]) wireSuite(`the composed server, with the lane: ${lane}`, () => start(lane));

async function start(lane: boolean): Promise<WireServer> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-wire-'));
  const listen = [{ face: 'all' as const, host: '127.0.0.1', port: 0 }];
  const server = await startServer(
    serverConfig({ listen, lane, logLevel: 'silent', drainMilliseconds: 0, data: join(directory, 'data') }),
  );
  return {
    baseUrl: server.listeners[0]!.url,
    async stop() {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
