// Servers in processes of their own, so that a client's work is not done on the server's thread.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface ServerProcess {
  /** `http://HOST:PORT` */
  readonly url: string;
  readonly pid: number;
  close(): Promise<void>;
  /** Ends it where it is. */
  kill(): Promise<void>;
}

export interface SpawnOptions {
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** From dist-bench/bench/ to the checkout. */
export const cairn = fileURLToPath(new URL('../../bin/cairn', import.meta.url));
const bareServer = fileURLToPath(new URL('./bare-server.js', import.meta.url));
const bareFileServer = fileURLToPath(new URL('./bare-file-server.js', import.meta.url));

export function spawnCairn(
  directory: string,
  flags: readonly string[] = [],
  options: SpawnOptions = {},
): Promise<ServerProcess> {
  const args = ['serve', '--listen', '127.0.0.1:0', '--data', directory, '--log-level', 'error', ...flags];
  return start([...(options.nodeFlags ?? []), cairn, ...args], options.env);
}

export function spawnBareServer(file: string): Promise<ServerProcess> {
  return start([bareServer, file]);
}

export function spawnBareFileServer(file: string): Promise<ServerProcess> {
  return start([bareFileServer, file]);
}

/** A port of loopback that nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Serves the files of a directory, as nginx does by itself, with one worker; undefined where it is not installed. */
export async function spawnNginx(directory: string, root: string, port: number): Promise<ServerProcess | undefined> {
  const config = join(directory, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${directory}/nginx-${kind};`,
  );
  await writeFile(
    config,
    `daemon off; worker_processes 1; pid ${directory}/nginx.pid; error_log stderr crit;
     events { worker_connections 1024; }
     http { access_log off; sendfile on; keepalive_requests 1000000000; ${temporary.join(' ')}
       server { listen 127.0.0.1:${port}; root ${root}; } }\n`,
  );
  const child = spawn('nginx', ['-c', config, '-p', directory, '-e', 'stderr'], { stdio: 'ignore' });
  const isMissing = await Promise.race([once(child, 'error').then(() => true), once(child, 'spawn').then(() => false)]);
  if (isMissing) return undefined;
  const url = `http://127.0.0.1:${port}`;
  for (let attempt = 0; ; attempt++) {
    const answers = await fetch(url).then(
      () => true,
      () => false,
    );
    if (answers) break;
    if (attempt === 100 || child.exitCode !== null) throw new Error('nginx does not answer');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { url, pid: child.pid!, close: () => stop(child, 'SIGTERM'), kill: () => stop(child, 'SIGKILL') };
}

async function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let complaints = '';
  child.stderr.on('data', (text) => {
    complaints = (complaints + text).slice(-4096);
  });
  const url = await readUrl(child);
  if (url === undefined) throw new Error(`the server ended before it was ready: ${complaints}`);
  return { url, pid: child.pid!, close: () => stop(child, 'SIGTERM'), kill: () => stop(child, 'SIGKILL') };
}

async function readUrl(child: ChildProcess): Promise<string | undefined> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const url = /listening on (http:\S+)/.exec(line)?.[1];
    if (url === undefined) continue;
    child.stdout!.resume();
    return url;
  }
  return undefined;
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}

export async function residentMib({ pid }: ServerProcess): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

/** User and system time, from the 14th and 15th field of proc(5)'s `stat`, in ticks of 10 ms. */
export async function processorSeconds({ pid }: ServerProcess): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
