// Servers in processes of their own, so that a client's work is not done on the server's thread.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findProgram, type Program } from './programs.js';

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

/** With one thread, unless a flag says otherwise. */
export function spawnCairn(
  directory: string,
  flags: readonly string[] = [],
  options: SpawnOptions = {},
): Promise<ServerProcess> {
  const args = [
    'serve',
    '--listen',
    '127.0.0.1:0',
    '--data',
    directory,
    '--log-level',
    'error',
    '--workers=0',
    ...flags,
  ];
  return start([...(options.nodeFlags ?? []), cairn, ...args], options.env);
}

export function spawnBareServer(file: string): Promise<ServerProcess> {
  return start([bareServer, file]);
}

export function spawnBareFileServer(file: string): Promise<ServerProcess> {
  return start([bareFileServer, file]);
}

/** A program of somebody else, which answers at this URL when it is ready; undefined where it is not installed. */
export async function spawnPeer(
  name: Program,
  args: readonly string[],
  readyUrl: string,
): Promise<ServerProcess | undefined> {
  const program = findProgram(name);
  if (program === undefined) return undefined;
  // nginx has a child of its own, which a signal that cannot be caught would leave behind.
  const { child, complaints } = launch(program, args, {}, 'SIGTERM');
  for (;;) {
    const answer = await fetch(readyUrl).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer !== undefined) break;
    if (hasEnded(child)) throw new Error(`${name} ended before it was ready: ${complaints()}`);
    await sleep(20);
  }
  return handleOf(child, new URL(readyUrl).origin);
}

async function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  const { child, complaints } = launch(process.execPath, args, env);
  const url = await readUrl(child);
  if (url === undefined) throw new Error(`the server ended before it was ready: ${complaints()}`);
  return handleOf(child, url);
}

/** With the end of what it says on standard error. */
function launch(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  signal: NodeJS.Signals = 'SIGKILL',
) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let said = '';
  child.stderr.on('data', (text) => {
    said = (said + text).slice(-4096);
  });
  endWithUs(child, signal);
  return { child, complaints: () => said };
}

const running = new Map<ChildProcess, NodeJS.Signals>();
process.on('exit', () => {
  for (const [child, signal] of running) child.kill(signal);
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

/** However this process ends, a signal that it cannot catch aside, the child does not outlive it. */
export function endWithUs(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): void {
  running.set(child, signal);
  child.once('exit', () => running.delete(child));
}

function handleOf(child: ChildProcess, url: string): ServerProcess {
  child.stdout?.resume();
  return { url, pid: child.pid!, close: () => stop(child, 'SIGTERM'), kill: () => stop(child, 'SIGKILL') };
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function readUrl(child: ChildProcess): Promise<string | undefined> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const url = /listening on (http:\S+)/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  return undefined;
}

/** Those that there are. */
export async function closeAll(servers: readonly (ServerProcess | undefined)[]): Promise<void> {
  await Promise.all(servers.map((server) => server?.close()));
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return;
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
