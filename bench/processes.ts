// Servers in processes of their own, so that a client's work is not done on the server's thread.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface ServerProcess {
  /** `http://HOST:PORT` */
  readonly url: string;
  readonly pid: number;
  close(): Promise<void>;
}

/** From dist-bench/bench/ to the checkout. */
export const cairn = fileURLToPath(new URL('../../bin/cairn', import.meta.url));
const bareServer = fileURLToPath(new URL('./bare-server.js', import.meta.url));

export function spawnCairn(directory: string, flags: readonly string[] = []): Promise<ServerProcess> {
  return start([cairn, 'serve', '--listen', '127.0.0.1:0', '--data', directory, '--log-level', 'error', ...flags]);
}

export function spawnBareServer(file: string): Promise<ServerProcess> {
  return start([bareServer, file]);
}

async function start(args: readonly string[]): Promise<ServerProcess> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (text) => {
    complaints = (complaints + text).slice(-4096);
  });
  const url = await readUrl(child);
  if (url === undefined) throw new Error(`the server ended before it was ready: ${complaints}`);
  return { url, pid: child.pid!, close: () => stop(child) };
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

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
