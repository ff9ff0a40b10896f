// Servers in processes of their own, so that a client's work is not done on the server's thread.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
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
