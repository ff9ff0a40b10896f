// docker-registry, which keeps the layers of images as blobs named by SHA-256, each in a file and with a link in its repository.
// It syncs the files before it answers, and not the directories. Undefined where it is not installed.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../../test/support/free-ports.js';
import { type ServerProcess, spawnPeer } from '../processes.js';

export const registryDurability = 'docker-registry syncs the files and not their directories, and hashes with SHA-256';

/** URLs of blobs are under `blobs`. */
export interface Registry extends ServerProcess {
  /** Where to PUT the blob of this SHA-256, in hex, once. */
  startUpload(sha256: string): Promise<string>;
}

const repository = 'v2/bench/blobs';

export async function spawnRegistry(directory: string): Promise<Registry | undefined> {
  await mkdir(directory, { recursive: true });
  const config = join(directory, 'config.yml');
  const address = `127.0.0.1:${(await freePorts(1))[0]}`;
  const storage = { filesystem: { rootdirectory: join(directory, 'data') } };
  const log = { level: 'error', accesslog: { disabled: true } };
  // JSON is YAML, too.
  await writeFile(config, JSON.stringify({ version: '0.1', log, storage, http: { addr: address } }));
  const server = await spawnPeer('docker-registry', ['serve', config], `http://${address}/v2/`);
  return (
    server && {
      ...server,
      url: `http://${address}/${repository}`,
      async startUpload(sha256) {
        const answer = await fetch(`http://${address}/${repository}/uploads/`, { method: 'POST' });
        await answer.arrayBuffer();
        const location = answer.headers.get('location');
        if (location === null) throw new Error(`the registry begins no upload: ${answer.status}`);
        return `${location}&digest=sha256:${sha256}`;
      },
    }
  );
}
