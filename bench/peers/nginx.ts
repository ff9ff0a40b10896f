// nginx over the files of a directory, with one worker, as Cairn has one thread; undefined where it is not installed.

import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../../test/support/free-ports.js';
import { type ServerProcess, spawnPeer } from '../processes.js';

/** Keeps its own files in the directory; serves those of `root`, which it makes readable. */
export async function spawnNginx(directory: string, root: string): Promise<ServerProcess | undefined> {
  await mkdir(directory, { recursive: true });
  // nginx may run as somebody else.
  for (const folder of [join(root, '../..'), join(root, '..'), root]) await chmod(folder, 0o755);
  const config = join(directory, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${directory}/nginx-${kind};`,
  );
  const [port] = await freePorts(1);
  await writeFile(
    config,
    `daemon off; worker_processes 1; pid ${directory}/nginx.pid; error_log stderr crit;
     events { worker_connections 1024; }
     http { access_log off; sendfile on; keepalive_requests 1000000000; ${temporary.join(' ')}
       server { listen 127.0.0.1:${port}; root ${root}; } }\n`,
  );
  return spawnPeer('nginx', ['-c', config, '-p', directory, '-e', 'stderr'], `http://127.0.0.1:${port}`);
}
