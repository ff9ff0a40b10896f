// Load from programs of the system, which take less of the machine than Node does; without them, from this process.

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { concurrently } from './harness.js';
import { exchange, grpcHeaders, openSession } from './http2-client.js';

const run = promisify(execFile);

async function isThere(program: string): Promise<boolean> {
  return run(program, ['--version']).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}

export interface GrpcLoad {
  readonly url: string;
  readonly method: string;
  /** One message in its envelope. */
  readonly question: Uint8Array;
  readonly calls: number;
}

/** Makes so many calls, 64 at once over 4 connections, with h2load where it is. Fails unless all are answered. */
export async function grpcLoad({ url, method, question, calls }: GrpcLoad, bodyPath: string): Promise<void> {
  if (!(await isThere('h2load'))) {
    const session = await openSession(url);
    await concurrently(64, calls, async () => void (await exchange(session, grpcHeaders(method), [question])));
    session.close();
    return;
  }
  await writeFile(bodyPath, question);
  const headers = ['content-type: application/grpc', 'te: trailers'].flatMap((header) => ['-H', header]);
  const size = [`-n${calls}`, '-c4', '-m16', '-t1'];
  const { stdout } = await run('h2load', [...size, '-d', bodyPath, ...headers, url + method]);
  if (!stdout.includes(` ${calls} succeeded, 0 failed, 0 errored`)) throw new Error(`not all succeeded: ${stdout}`);
}

export interface Wrk {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** Lines of Lua that make each request. */
  readonly script?: string | undefined;
}

export interface WrkResult {
  readonly requests: number;
  /** 99 of 100 answers were there within so many milliseconds. */
  readonly p99Milliseconds: number;
}

/** Undefined where there is no wrk. Fails when something was not answered with success. */
export async function wrk(
  { url, connections, seconds, script }: Wrk,
  scriptPath: string,
): Promise<WrkResult | undefined> {
  if (!(await isThere('wrk'))) return undefined;
  if (script !== undefined) await writeFile(scriptPath, script);
  const how = [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--latency',
    ...(script === undefined ? [] : ['-s', scriptPath]),
  ];
  const { stdout } = await run('wrk', [...how, url]);
  if (/Non-2xx|Socket errors: connect [^0]/.test(stdout)) throw new Error(`not all succeeded: ${stdout}`);
  const [, amount, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? [];
  const factor = { us: 0.001, ms: 1, s: 1000 }[unit ?? 'ms'] ?? 1;
  return { requests: Number(/(\d+) requests in/.exec(stdout)?.[1]), p99Milliseconds: Number(amount) * factor };
}
