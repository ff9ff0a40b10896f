// `cairn serve` processes whose metadata is measured, one or a group of them: to be asked, killed and started again.

import { join } from 'node:path';
import { connect } from '../src/client/client.js';
import type { KvStore } from '../src/meta/kv.js';
import { freePorts } from '../test/support/free-ports.js';
import { type ServerProcess, spawnCairn } from './processes.js';

export interface MetadataServer {
  readonly process: ServerProcess;
  readonly kv: KvStore;
  /** The same again after its end, with what it left behind. */
  start(): Promise<MetadataServer>;
  close(): Promise<void>;
}

export async function startServer(directory: string, flags: readonly string[] = []): Promise<MetadataServer> {
  const process = await spawnCairn(directory, flags);
  const client = connect(process.url);
  return {
    process,
    kv: await client.metadata(),
    start: () => startServer(directory, flags),
    async close() {
      client.close();
      await process.close();
    },
  };
}

/** A Raft group. Resolves when all serve, which takes a leader. */
export async function startGroup(directory: string, size: number): Promise<MetadataServer[]> {
  const peers = (await freePorts(size)).map((port, i) => ({ name: `node-${i}`, address: `127.0.0.1:${port}` }));
  const all = peers.map(({ name, address }) => `${name}=${address}`).join();
  return Promise.all(
    peers.map(({ name, address }) => {
      const flags = ['--meta', 'raft', '--role', 'master', '--node-id', name, '--peer-listen', address, '--peers', all];
      return startServer(join(directory, name), flags);
    }),
  );
}

/** The one that leads, once there is one. */
export async function leaderOf(servers: readonly MetadataServer[]): Promise<MetadataServer> {
  for (;;) {
    for (const server of servers) if ((await server.kv.status()).role === 'leader') return server;
  }
}
