// Servers for parts that need an ordinary one, and neither its start nor its end. Each gets one of its own; after `shareServers`
// all get the same, since a run that is only to be seen to work would wait for starts more than for anything else.

import { join } from 'node:path';
import { type ServerProcess, spawnCairn } from './processes.js';

let directoryOfShared: string | undefined;
const shared = new Map<string, Promise<ServerProcess>>();

/** From now on; the directory is where their data goes. */
export function shareServers(directory: string): void {
  directoryOfShared = directory;
}

export async function closeSharedServers(): Promise<void> {
  for (const server of shared.values()) await (await server).close();
}

export async function openCairn(directory: string, flag?: '--no-lane' | '--workers=2'): Promise<ServerProcess> {
  const flags = flag === undefined ? [] : [flag];
  if (directoryOfShared === undefined) return spawnCairn(directory, flags);
  const key = flags.join();
  const server = shared.get(key) ?? spawnCairn(join(directoryOfShared, `shared${key}`), flags);
  shared.set(key, server);
  return { ...(await server), close: async () => {} };
}
