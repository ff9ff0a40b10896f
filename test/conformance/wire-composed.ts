// The wire suite over the real thing: the composed server on its one port, over a store on disk.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ServerConfig, serverConfig } from '../../src/server/config.js';
import { startServer } from '../../src/server/server.js';
import { type WireScope, wireSuite } from './wire.js';

export function composedWireSuite(settings: Pick<ServerConfig, 'lane' | 'workers'>, scope?: WireScope): void {
  const start = async () => {
    const directory = await mkdtemp(join(tmpdir(), 'cairn-wire-'));
    const listen = [{ face: 'all' as const, host: '127.0.0.1', port: 0 }];
    const server = await startServer(
      serverConfig({ listen, ...settings, logLevel: 'silent', drainMilliseconds: 0, data: join(directory, 'data') }),
    );
    return {
      baseUrl: server.listeners[0]!.url,
      async stop() {
        await server.close();
        await rm(directory, { recursive: true, force: true });
      },
    };
  };
  wireSuite(`the composed server, ${JSON.stringify(settings)}`, start, scope);
}
