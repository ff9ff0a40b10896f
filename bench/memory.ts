// What a thousand clients that hardly move make the server hold, and what they leave of a fast reader's speed. The load runs
// in a process of its own; the server's resident memory is read from /proc, before it comes and at its highest.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { create, toBinary } from '@bufbuild/protobuf';
import { digestBlob } from '../src/blake3/hasher.js';
import { encodeDigest } from '../src/client/wire.js';
import { DownloadRequestSchema } from '../src/gen/zako/v1/transport/transport_pb.js';
import { concurrently } from './harness.js';
import { envelope, exchange, grpcHeaders, openSession } from './http2-client.js';
import { endWithUs, processorSeconds, residentMib, type ServerProcess } from './processes.js';
import { byDefault, defaultThreads, openCairn } from './servers.js';

const mib = 1024 * 1024;
const transport = '/zako.v1.transport.Transport';
const budgetMib = 300;
const slowClients = fileURLToPath(new URL('./slow-clients.js', import.meta.url));

const kinds = {
  'grpc-download': 'slow Downloads over gRPC',
  'http2-get': 'slow GETs over HTTP/2',
  'http1-get': 'slow GETs over HTTP/1.1',
  'grpc-upload': 'stalled Uploads over gRPC',
  'http2-put': 'stalled PUTs over HTTP/2',
  'http1-put': 'stalled PUTs over HTTP/1.1',
} as const;
type Kind = keyof typeof kinds;

export interface MemoryOptions {
  readonly clients: number;
  readonly blobMebibytes: number;
  /** How long the load is watched. */
  readonly seconds: number;
  /** All kinds of clients at the same time. */
  readonly isTogether: boolean;
}

/** A section of the report. */
export async function memoryUnderLoad(directory: string, options: MemoryOptions): Promise<string> {
  const rows: string[] = [];
  const names = Object.keys(kinds) as Kind[];
  await concurrently(options.isTogether ? names.length : 1, names.length, async (index) => {
    const server = await openCairn(join(directory, names[index]!), defaultThreads);
    rows[index] = await row(server, names[index]!, options);
    await server.close();
  });
  return [
    `## Memory: ${options.clients} clients that hardly move, blobs of ${options.blobMebibytes} MiB`,
    '',
    `The server runs as it does ${byDefault}. The load is a process of its own; the fast reader is this one, eight Downloads in turn.`,
    '',
    '| clients | MiB above idle | budget | a fast reader beside them, MiB per second | alone | part of its processor time kept |',
    '|---|---:|---|---:|---:|---:|',
    ...rows,
    '',
  ].join('\n');
}

async function row(
  server: ServerProcess,
  kind: Kind,
  { clients, blobMebibytes, seconds }: MemoryOptions,
): Promise<string> {
  const session = await openSession(server.url);
  let load: ChildProcess | undefined;
  try {
    const bytes = randomBytes(blobMebibytes * mib);
    const digest = digestBlob(bytes);
    const path = `/blobs/${Buffer.from(digest.hash).toString('hex')}`;
    await fetch(server.url + path, { method: 'PUT', body: bytes });
    const metadata = { digest: encodeDigest(digest) };
    const question = envelope(toBinary(DownloadRequestSchema, create(DownloadRequestSchema, { metadata })));

    const readFast = async () => {
      const cpu = await processorSeconds(server);
      const start = performance.now();
      for (let i = 0; i < 8; i++) await exchange(session, grpcHeaders(`${transport}/Download`), [question]);
      const rate = (8 * blobMebibytes * 1000) / (performance.now() - start);
      return { rate, cpu: (await processorSeconds(server)) - cpu };
    };
    await readFast();
    const alone = await readFast();
    const idle = await residentMib(server);
    const paths: Record<Kind, string> = {
      'grpc-download': `${transport}/Download`,
      'http2-get': path,
      'http1-get': path,
      'grpc-upload': `${transport}/Upload`,
      'http2-put': '/blobs/',
      'http1-put': '/blobs/',
    };
    load = await startLoad([kind, String(clients), server.url, paths[kind]], question);
    let highest = 0;
    for (let i = 0; i < 10 * seconds; i++) {
      highest = Math.max(highest, await residentMib(server));
      await sleep(100);
    }
    const beside = await readFast();
    const above = Math.max(highest, await residentMib(server)) - idle;
    const budget = `≤ ${budgetMib}${above > budgetMib ? ' **missed**' : ''}`;
    const kept = (alone.cpu / beside.cpu).toFixed(2);
    return `| ${kinds[kind]} | ${Math.round(above)} | ${budget} | ${Math.round(beside.rate)} | ${Math.round(alone.rate)} | ${kept} |`;
  } finally {
    load?.kill();
    session.destroy();
  }
}

/** Resolves when every client of the load has begun. */
async function startLoad(args: readonly string[], question: Uint8Array): Promise<ChildProcess> {
  const child = spawn(process.execPath, [slowClients, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, CAIRN_BENCH_QUESTION: Buffer.from(question).toString('base64') },
  });
  endWithUs(child);
  const lines = createInterface({ input: child.stdout! });
  const ready = once(lines, 'line');
  const ended = once(child, 'exit').then(() => {
    throw new Error('the load ended before it was ready');
  });
  ended.catch(() => {});
  await Promise.race([ready, ended]);
  return child;
}
