// Reads over HTTP/1.1, from wrk with 64 connections: small blobs, and ranges of 64 KiB anywhere in a large one. Beside Cairn a
// bare Node file server, and where it is installed nginx over the same file, with one worker as Cairn has one thread; and
// what small reads wait while six uploads are written and synced.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createHasher, digestBlob } from '../src/blake3/hasher.js';
import { wrk } from './load.js';
import { freePort, type ServerProcess, spawnBareFileServer, spawnCairn, spawnNginx } from './processes.js';

const mib = 1024 * 1024;
const connections = 64;
const rangeBytes = 64 * 1024;
const uploadsAtOnce = 6;

export interface HttpReadsSize {
  readonly mebibytes: number;
  readonly seconds: number;
  readonly rounds: number;
}

interface Target {
  readonly name: string;
  readonly url: string;
  readonly budget?: number;
}

/** A section of the report for each kind of reads. */
export async function httpReads(directory: string, size: HttpReadsSize): Promise<string> {
  const web = join(directory, 'web');
  await mkdir(web);
  // nginx may run as somebody else.
  await chmod(directory, 0o755);
  const small = randomBytes(4096);
  const piece = randomBytes(mib);
  const large = Array.from({ length: size.mebibytes }, (_, i) => (i === 0 ? randomBytes(mib) : piece));
  await writeFile(join(web, 'small'), small);
  await writeFile(join(web, 'large'), large);
  const cairn = await spawnCairn(join(directory, 'served'));
  const bareSmall = await spawnBareFileServer(join(web, 'small'));
  const bareLarge = await spawnBareFileServer(join(web, 'large'));
  const nginx = await spawnNginx(directory, web, await freePort());
  const servers = [cairn, bareSmall, bareLarge, ...(nginx ? [nginx] : [])];
  try {
    const smallUrl = `${cairn.url}/blobs/${Buffer.from(digestBlob(small).hash).toString('hex')}`;
    const hasher = createHasher();
    for (const each of large) hasher.update(each);
    const largeUrl = `${cairn.url}/blobs/${Buffer.from(hasher.digest().hash).toString('hex')}`;
    await put(smallUrl, [small]);
    await put(largeUrl, large);
    const peers = (path: string) => (nginx ? [{ name: 'nginx, one worker', url: `${nginx.url}/${path}` }] : []);
    const scriptPath = join(directory, 'ranges.lua');
    return [
      await compared(
        '## Small reads over HTTP/1.1: 4 KiB each, 64 connections',
        [{ name: 'bare node:http', url: bareSmall.url }, { name: 'GET', url: smallUrl }, ...peers('small')],
        size,
        undefined,
        scriptPath,
      ),
      await compared(
        `## Ranges over HTTP/1.1: 64 KiB anywhere in ${size.mebibytes} MiB, 64 connections`,
        [
          { name: 'bare node:http', url: bareLarge.url },
          { name: 'GET with Range', url: largeUrl, budget: 0.8 },
          ...peers('large'),
        ],
        size,
        rangeScript(size.mebibytes),
        scriptPath,
      ),
      await beside(cairn, smallUrl, size, scriptPath),
    ].join('\n');
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}

async function put(url: string, pieces: readonly Uint8Array[]): Promise<void> {
  const answer = await fetch(url, { method: 'PUT', body: new Blob(pieces as Uint8Array<ArrayBuffer>[]) });
  if (!answer.ok) throw new Error(`PUT ${url}: ${answer.status}`);
}

function rangeScript(mebibytes: number): string {
  return `math.randomseed(1)
request = function()
  local start = math.random(0, ${mebibytes * mib - rangeBytes})
  return wrk.format("GET", nil, { ["Range"] = "bytes=" .. start .. "-" .. (start + ${rangeBytes - 1}) })
end
`;
}

async function compared(
  title: string,
  targets: readonly Target[],
  { seconds, rounds }: HttpReadsSize,
  script: string | undefined,
  scriptPath: string,
): Promise<string> {
  const rates = targets.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    for (const [at, { url }] of targets.entries()) {
      const result = await wrk({ url, connections, seconds, script }, scriptPath);
      if (result === undefined) return `${title}\n\nNot measured: wrk is not on the PATH.\n`;
      if (round >= 0) rates[at]!.push(result.requests / seconds);
    }
  }
  const medians = rates.map(median);
  const rows = targets.map(({ name, budget }, at) => {
    const ratio = medians[at]! / medians[0]!;
    const wanted = budget === undefined ? '' : `≥ ${budget}${ratio < budget ? ' **missed**' : ''}`;
    const spread = `${formatNumber(Math.min(...rates[at]!))}–${formatNumber(Math.max(...rates[at]!))}`;
    return `| ${name} | ${formatNumber(medians[at]!)} | ${spread} | ${ratio.toFixed(2)} | ${wanted} |`;
  });
  const head = ['| answers per second | median | lowest–highest | ratio | budget |', '|---|---:|---:|---:|---|'];
  return [title, '', ...head, ...rows, ''].join('\n');
}

/** Small reads alone, and while others write. */
async function beside(
  cairn: ServerProcess,
  url: string,
  { seconds, rounds }: HttpReadsSize,
  scriptPath: string,
): Promise<string> {
  const title = `## Waiting: small reads while ${uploadsAtOnce} uploads are written and synced`;
  const idle: number[] = [];
  const busy: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const alone = await wrk({ url, connections: 4, seconds }, scriptPath);
    if (alone === undefined) return `${title}\n\nNot measured: wrk is not on the PATH.\n`;
    idle.push(alone.p99Milliseconds);
    const uploads = startUploads(cairn.url);
    busy.push((await wrk({ url, connections: 4, seconds }, scriptPath))!.p99Milliseconds);
    uploads.kill();
  }
  const ratio = median(busy) / median(idle);
  return [
    title,
    '',
    '| 99 of 100 within | median | ratio | budget |',
    '|---|---:|---:|---|',
    `| alone | ${median(idle).toFixed(2)} ms | 1.00 | |`,
    `| beside uploads | ${median(busy).toFixed(2)} ms | ${ratio.toFixed(2)} | ≤ 3${ratio > 3 ? ' **missed**' : ''} |`,
    '',
  ].join('\n');
}

/** POSTs blobs of 16 MiB that nobody has seen, in a process of its own, until it is ended. */
function startUploads(url: string) {
  const program = `
    const { randomBytes } = require('node:crypto');
    const piece = randomBytes(${16 * mib});
    async function upload() {
      for (;;) {
        const body = Buffer.from(piece);
        randomBytes(32).copy(body);
        await fetch(${JSON.stringify(url)} + '/blobs', { method: 'POST', body }).then((answer) => answer.text());
      }
    }
    for (let i = 0; i < ${uploadsAtOnce}; i++) upload().catch(() => process.exit(1));
  `;
  return spawn(process.execPath, ['-e', program], { stdio: 'ignore' });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

function formatNumber(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
