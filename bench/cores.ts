// What workers are worth: small GETs from a server with none, one and two of them. The load shares the machine's processors
// with the server, so that what comes through says little on two of them. Counted is therefore also the processor time that
// the server takes for each answer: so many threads, each on a processor of its own, could give that many.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { digestBlob } from '../src/blake3/hasher.js';
import { type Effort, median } from './harness.js';
import { wrk } from './load.js';
import { processorSeconds, type ServerProcess, spawnCairn } from './processes.js';
import { findProgram } from './programs.js';
import { formatBudget, formatNumber } from './report.js';

const blobBytes = 4096;
const connections = 128;
const budgetRatio = 1.6;
const getLoad = fileURLToPath(new URL('./get-load.js', import.meta.url));

interface Sample {
  readonly perSecond: number;
  /** Processor time of one answer, in microseconds. */
  readonly microseconds: number;
}

/** A section of the report. */
export async function cores(directory: string, seconds: number, { warmUps, runs }: Effort): Promise<string> {
  const counts = [0, 1, 2];
  const servers = await Promise.all(
    counts.map((count) => spawnCairn(join(directory, String(count)), ['--workers', String(count)])),
  );
  try {
    const bytes = randomBytes(blobBytes);
    const path = `/blobs/${Buffer.from(digestBlob(bytes).hash).toString('hex')}`;
    for (const { url } of servers) await fetch(url + path, { method: 'PUT', body: bytes });
    const samples = counts.map((): Sample[] => []);
    for (let round = -warmUps; round < runs; round++) {
      for (const [index, server] of servers.entries()) {
        const sample = await measure(server, path, seconds);
        if (round >= 0) samples[index]!.push(sample);
      }
    }
    return report(counts, samples);
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}

async function measure(server: ServerProcess, path: string, seconds: number): Promise<Sample> {
  const before = await processorSeconds(server);
  const load = { url: server.url + path, connections, seconds };
  // wrk takes less of the machine than Node does. A run that is only to be seen to work is for the client that always is there.
  const isWrk = seconds >= 1 && findProgram('wrk') !== undefined;
  const answers = isWrk ? (await wrk(load)).requests : await ownLoad(server.url, path, seconds);
  const processor = (await processorSeconds(server)) - before;
  return { perSecond: answers / seconds, microseconds: (1e6 * processor) / answers };
}

async function ownLoad(url: string, path: string, seconds: number): Promise<number> {
  const child = spawn(process.execPath, [getLoad, url, path, String(connections), String(seconds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return Number(output);
}

function report(counts: readonly number[], samples: readonly Sample[][]): string {
  const medians = samples.map((of) => ({
    perSecond: median(of.map(({ perSecond }) => perSecond)),
    microseconds: median(of.map(({ microseconds }) => microseconds)),
  }));
  const capacity = counts.map((count, index) => (Math.max(1, count) * 1e6) / medians[index]!.microseconds);
  const rows = counts.map((count, index) => {
    const { perSecond, microseconds } = medians[index]!;
    const ratio = capacity[index]! / capacity[1]!;
    const budget = count < 2 ? '' : formatBudget(ratio, budgetRatio);
    const figures = [perSecond, microseconds, capacity[index]!].map(formatNumber);
    return `| ${count} | ${figures.join(' | ')} | ${ratio.toFixed(2)} | ${budget} |`;
  });
  return [
    `## Workers: GETs of ${blobBytes} bytes over HTTP/1.1, ${connections} connections`,
    '',
    'One blob again and again, from the page cache. The client is wrk, or a Node process where that is missing.',
    '',
    '| workers | answers per second beside the load | µs of processor time each | answers per second, client load aside | ratio to one | budget |',
    '|---:|---:|---:|---:|---:|---|',
    ...rows,
    '',
  ].join('\n');
}
