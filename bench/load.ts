// Load from programs of the system, which take less of the machine than Node does; for gRPC without h2load, from this process.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { concurrently, type Subject } from './harness.js';
import { exchange, grpcHeaders, openSession } from './http2-client.js';
import { findProgram } from './programs.js';

const run = promisify(execFile);

export interface Http2Load {
  readonly url: string;
  readonly path: string;
  /** A file: the messages of a gRPC call, each in its envelope. Without it the path is got. */
  readonly body?: string;
  readonly calls: number;
  /** Calls at once; of more than 16, so many share a connection. */
  readonly width: number;
}

/**
 * Makes so many equal calls, and answers how many bytes of data came back. Fails unless all are answered with status 200; a gRPC
 * call that failed has no data.
 */
export async function http2Load({ url, path, body, calls, width }: Http2Load): Promise<number> {
  const h2load = findProgram('h2load');
  if (h2load === undefined) return ownLoad({ url, path, calls, width, ...(body !== undefined && { body }) });
  const headers = ['content-type: application/grpc', 'te: trailers'].flatMap((header) => ['-H', header]);
  const size = [`-n${calls}`, `-c${Math.ceil(width / 16)}`, `-m${Math.min(width, 16)}`, '-t1'];
  const windows = ['-w20', '-W24', '--max-frame-size=1M'];
  const question = body === undefined ? [] : [...headers, '-d', body];
  const { stdout } = await run(h2load, [...size, ...windows, ...question, url + path]);
  if (!stdout.includes(` ${calls} succeeded, 0 failed, 0 errored`)) throw new Error(`not all succeeded: ${stdout}`);
  return Number(/\((\d+)\) data/.exec(stdout)?.[1]);
}

async function ownLoad({ url, path, body, calls, width }: Http2Load): Promise<number> {
  const session = await openSession(url);
  const headers = body === undefined ? { ':method': 'GET', ':path': path } : grpcHeaders(path);
  const pieces = body === undefined ? [] : [await readFile(body)];
  let received = 0;
  await concurrently(width, calls, async () => {
    received += await exchange(session, headers, pieces);
  });
  session.close();
  return received;
}

/** GETs or, with a file, PUTs over HTTP/1.1 and a connection of its own. Fails unless it succeeds; answers bytes received. */
export async function curl(url: string, file?: string): Promise<number> {
  const body = file === undefined ? [] : ['-T', file];
  const args = ['-sS', '--fail', '--http1.1', '-o', '/dev/null', '-w', '%{size_download}', ...body, url];
  const { stdout } = await run(findProgram('curl')!, args);
  return Number(stdout);
}

/** From this process. */
export async function put(url: string, body: Uint8Array): Promise<void> {
  const answer = await fetch(url, { method: 'PUT', body: new Uint8Array(body) });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`PUT ${url}: ${answer.status}`);
}

export interface Wrk {
  readonly url: string;
  readonly connections: number;
  /** For less than one it is interrupted. */
  readonly seconds: number;
  /** A file of Lua that makes each request. */
  readonly script?: string | undefined;
}

export interface WrkResult {
  readonly requests: number;
  /** 99 of 100 answers were there within so many milliseconds. */
  readonly p99Milliseconds: number;
}

/** A subject of requests that wrk makes: answers that came. */
export function wrkSubject(name: string, load: Wrk): Subject {
  return { name, run: async () => (await wrk(load)).requests };
}

/** Fails when something was not answered with success. */
export async function wrk({ url, connections, seconds, script }: Wrk): Promise<WrkResult> {
  const how = [
    '-t1',
    `-c${connections}`,
    `-d${Math.ceil(seconds)}s`,
    '--latency',
    ...(script === undefined ? [] : ['-s', script]),
  ];
  const running = run(findProgram('wrk')!, [...how, url]);
  const timer = seconds < 1 ? setTimeout(() => running.child.kill('SIGINT'), 1000 * seconds) : undefined;
  const { stdout } = await running.finally(() => clearTimeout(timer));
  if (/Non-2xx|Socket errors: connect [^0]/.test(stdout)) throw new Error(`not all succeeded: ${stdout}`);
  const [, amount, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? [];
  const factor = { us: 0.001, ms: 1, s: 1000 }[unit ?? 'ms'] ?? 1;
  return { requests: Number(/(\d+) requests in/.exec(stdout)?.[1]), p99Milliseconds: Number(amount) * factor };
}
