// Servers for parts that need an ordinary one, and neither its start nor its end. Each gets one of its own; after `shareServers`
// all get the same, since a run that is only to be seen to work would wait for starts more than for anything else.

import { join } from 'node:path';
import { defaultWorkers } from '../src/server/config.js';
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

/** As a server starts that is not told how many threads to use. */
export const defaultThreads = `--workers=${defaultWorkers()}` as const;

/** How a row tells that its server was started so. */
export const byDefault: string =
  defaultWorkers() === 0 ? 'by default (one thread)' : `by default (${defaultWorkers()} workers)`;

/** With one thread, unless a flag says otherwise. */
export async function openCairn(directory: string, flag?: '--no-lane' | typeof defaultThreads): Promise<ServerProcess> {
  const flags = flag === undefined ? [] : [flag];
  if (directoryOfShared === undefined) return spawnCairn(directory, flags);
  const key = flags.join();
  const server = shared.get(key) ?? spawnCairn(join(directoryOfShared, `shared${key}`), flags);
  shared.set(key, server);
  return { ...(await server), close: async () => {} };
}
