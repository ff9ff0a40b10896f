// bazel-remote, a build cache that names blobs by SHA-256 and keeps each in a file. It syncs the file before it answers, and not
// the directory. Compression is off, since Cairn has none; gRPC and HTTP are on a port each. Undefined where it is not installed.

import { mkdir } from 'node:fs/promises';
import { freePorts } from '../../test/support/free-ports.js';
import { type ServerProcess, spawnPeer } from '../processes.js';

export interface BazelRemote extends ServerProcess {
  /** `http://HOST:PORT` of gRPC; `url` is HTTP's. */
  readonly grpcUrl: string;
}

export const bazelRemoteDurability = 'bazel-remote syncs the file and not its directory, and hashes with SHA-256';

export async function spawnBazelRemote(directory: string): Promise<BazelRemote | undefined> {
  await mkdir(directory, { recursive: true });
  const [http, grpc] = (await freePorts(2)).map((port) => `127.0.0.1:${port}`);
  const options = {
    dir: directory,
    max_size: 100,
    storage_mode: 'uncompressed',
    http_address: http,
    grpc_address: grpc,
    access_log_level: 'none',
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const server = await spawnPeer('bazel-remote', args, `http://${http}/status`);
  return server && { ...server, url: `http://${http}`, grpcUrl: `http://${grpc}` };
}
