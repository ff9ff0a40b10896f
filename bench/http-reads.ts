// Reads over HTTP/1.1, from wrk with 64 connections: small blobs, and ranges of 64 KiB anywhere in a large one. Beside Cairn a
// bare Node file server, and where it is installed nginx over the same file, with one worker as Cairn has one thread; and
// what small reads wait while six uploads are written and synced.

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashHex } from '../src/base/digest.js';
import { digestBlob } from '../src/blake3/hasher.js';
import { makeBigBlob } from './big-blob.js';
import { type Effort, median, type Subject } from './harness.js';
import { put, wrk, wrkSubject } from './load.js';
import { spawnBazelRemote } from './peers/bazel-remote.js';
import { spawnNginx } from './peers/nginx.js';
import { closeAll, endWithUs, type ServerProcess, spawnBareFileServer } from './processes.js';
import { describeMissing, findProgram, missingPrograms, type Program } from './programs.js';
import { compare } from './report.js';
import { byDefault, defaultThreads, openCairn } from './servers.js';

const mib = 1024 * 1024;
const connections = 64;
const rangeBytes = 64 * 1024;
const uploadsAtOnce = 6;
const waiting = `## Waiting: small reads while ${uploadsAtOnce} uploads are written and synced`;

export interface HttpReadsSize {
  readonly mebibytes: number;
  readonly seconds: number;
}

/** A section of the report for each kind of reads. */
export async function httpReads(directory: string, size: HttpReadsSize, effort: Effort): Promise<string> {
  const hasWrk = findProgram('wrk') !== undefined;
  const web = join(directory, 'web');
  await mkdir(web);
  const small = randomBytes(4096);
  const large = makeBigBlob(size.mebibytes);
  await writeFile(join(web, 'small'), small);
  await writeFile(join(web, 'large'), large.pieces);
  const cairn = await openCairn(join(directory, 'served'));
  const withWorkers = await openCairn(join(directory, 'served-by-default'), defaultThreads);
  const bareSmall = await spawnBareFileServer(join(web, 'small'));
  const bareLarge = await spawnBareFileServer(join(web, 'large'));
  const nginx = await spawnNginx(join(directory, 'nginx'), web);
  const bazelRemote = await spawnBazelRemote(join(directory, 'bazel-remote'));
  const servers = [cairn, withWorkers, bareSmall, bareLarge, nginx, bazelRemote];
  try {
    const smallUrl = `${cairn.url}/blobs/${hashHex(digestBlob(small).hash)}`;
    const theirUrl = `${bazelRemote?.url}/cas/${createHash('sha256').update(small).digest('hex')}`;
    for (const { url } of [cairn, withWorkers]) {
      await put(url + new URL(smallUrl).pathname, small);
      await put(url + large.path, Buffer.concat(large.pieces));
    }
    if (bazelRemote) await put(theirUrl, small);
    const script = join(directory, 'ranges.lua');
    await writeFile(script, rangeScript(size.mebibytes));
    const load = (name: string, url: string, script?: string) =>
      wrkSubject(name, { url, connections, seconds: size.seconds, script });
    const section = (title: string, about: string, peers: readonly Program[], subjects: readonly Subject[]) => {
      const missing = missingPrograms(['wrk', ...peers]);
      const measured = hasWrk ? subjects : [];
      const close = async () => {};
      return compare({ title, about, unit: 'answers', yardstickCount: 1, missing, subjects: measured, close }, effort);
    };
    return [
      await section(
        `Small reads over HTTP/1.1: 4 KiB each, ${connections} connections`,
        'One blob again and again, from the page cache. The client is wrk.',
        ['nginx', 'bazel-remote'],
        [
          load('bare node:http', bareSmall.url),
          load('GET, one thread', smallUrl),
          load(`GET, ${byDefault}`, withWorkers.url + new URL(smallUrl).pathname),
          ...(nginx ? [load('nginx, one worker', `${nginx.url}/small`)] : []),
          ...(bazelRemote ? [load('bazel-remote', theirUrl)] : []),
        ],
      ),
      await section(
        `Ranges over HTTP/1.1: 64 KiB anywhere in ${size.mebibytes} MiB, ${connections} connections`,
        'From the page cache. The client is wrk. The bare server reads in a thread beside the one that sends; Cairn with one thread ' +
          'reads, checks and sends in it. It checks all that it sends, and what lies around it in pieces of 4 KiB.',
        ['nginx'],
        [
          load('bare node:http', bareLarge.url, script),
          load('GET with Range, one thread', cairn.url + large.path, script),
          { ...load(`GET with Range, ${byDefault}`, withWorkers.url + large.path, script), budget: 0.8 },
          ...(nginx ? [load('nginx, one worker', `${nginx.url}/large`, script)] : []),
        ],
      ),
      hasWrk ? await beside(cairn, smallUrl, size.seconds, effort) : `${waiting}\n\n${describeMissing('wrk')}\n`,
    ].join('\n');
  } finally {
    await closeAll(servers);
  }
}

function rangeScript(mebibytes: number): string {
  return `math.randomseed(1)
request = function()
  local start = math.random(0, ${mebibytes * mib - rangeBytes})
  return wrk.format("GET", nil, { ["Range"] = "bytes=" .. start .. "-" .. (start + ${rangeBytes - 1}) })
end
`;
}

/** Small reads alone, and while others write. */
async function beside(cairn: ServerProcess, url: string, seconds: number, { runs }: Effort): Promise<string> {
  const idle: number[] = [];
  const busy: number[] = [];
  for (let round = 0; round < runs; round++) {
    const alone = await wrk({ url, connections: 4, seconds });
    idle.push(alone.p99Milliseconds);
    const uploads = startUploads(cairn.url);
    busy.push((await wrk({ url, connections: 4, seconds })).p99Milliseconds);
    uploads.kill();
  }
  const ratio = median(busy) / median(idle);
  return [
    waiting,
    '',
    'GETs of 4 KiB from wrk, 4 connections; POSTs of 16 MiB from a Node process, durable.',
    '',
    '| 99 of 100 within | median | ratio | budget |',
    '|---|---:|---:|---|',
    `| alone | ${median(idle).toFixed(2)} ms | 1.00 | |`,
    `| beside uploads | ${median(busy).toFixed(2)} ms | ${ratio.toFixed(2)} | ≤ 3${ratio > 3 ? ' **missed**' : ''} |`,
    '',
  ].join('\n');
}

/** POSTs blobs of 16 MiB that nobody has seen, in a process of its own, until it is ended. */
function startUploads(url: string): ChildProcess {
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
  const child = spawn(process.execPath, ['-e', program], { stdio: 'ignore' });
  endWithUs(child);
  return child;
}
