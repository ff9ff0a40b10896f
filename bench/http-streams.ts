// One large blob over HTTP/1.1, down and up, as a user of curl has it: Cairn, nginx, bazel-remote and docker-registry. The yardstick
// down is a bare `node:http` server that sends a file unchecked; up, the slower of such a server that throws the bytes away and
// a plain write with a sync.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BigBlob, makeBigBlob, writeDurably } from './big-blob.js';
import { plainWrite } from './grpc-streams.js';
import type { Scenario, Subject } from './harness.js';
import { curl } from './load.js';
import { bazelRemoteDurability, spawnBazelRemote } from './peers/bazel-remote.js';
import { registryDurability, spawnRegistry } from './peers/docker-registry.js';
import { spawnNginx } from './peers/nginx.js';
import { closeAll, spawnBareFileServer } from './processes.js';
import { findProgram, missingPrograms } from './programs.js';
import { openCairn } from './servers.js';

export async function httpDownloads(directory: string, mebibytes: number): Promise<Scenario> {
  const title = `GET: one blob of ${mebibytes.toLocaleString('en-US')} MiB over HTTP/1.1`;
  if (findProgram('curl') === undefined) return withoutCurl(title);
  const web = join(directory, 'web');
  await mkdir(web);
  const file = join(web, 'blob');
  const blob = makeBigBlob(mebibytes);
  await writeDurably(file, blob.pieces);
  const bare = await spawnBareFileServer(file);
  const cairn = await openCairn(join(directory, 'cairn'));
  const nginx = await spawnNginx(join(directory, 'nginx'), web);
  const bazelRemote = await spawnBazelRemote(join(directory, 'bazel-remote'));
  const registry = await spawnRegistry(join(directory, 'registry'));
  await curl(cairn.url + blob.path, file);
  if (bazelRemote) await curl(`${bazelRemote.url}/cas/${blob.sha256}`, file);
  if (registry) await curl(await registry.startUpload(blob.sha256), file);
  const get = (name: string, url: string): Subject => ({
    name,
    async run() {
      const received = await curl(url);
      if (received !== blob.size) throw new Error(`${name}: got ${received} bytes of ${blob.size}`);
      return mebibytes;
    },
  });
  return {
    title,
    about:
      'From the page cache. The client is curl, a connection for each GET. Cairn checks the bytes as it reads them; the others send what the file has.',
    unit: 'MiB',
    yardstickCount: 1,
    missing: missingPrograms(['nginx', 'bazel-remote', 'docker-registry']),
    subjects: [
      get('bare node:http, positioned reads of 256 KiB', bare.url),
      { ...get('GET', cairn.url + blob.path), budget: 0.7 },
      ...(nginx ? [get('nginx, one worker', `${nginx.url}/blob`)] : []),
      ...(bazelRemote ? [get('bazel-remote', `${bazelRemote.url}/cas/${blob.sha256}`)] : []),
      ...(registry ? [get('docker-registry', `${registry.url}/sha256:${blob.sha256}`)] : []),
    ],
    close: () => closeAll([bare, cairn, nginx, bazelRemote, registry]),
  };
}

export async function httpUploads(directory: string, mebibytes: number): Promise<Scenario> {
  const title = `PUT: one blob of ${mebibytes} MiB over HTTP/1.1, hashed and durable`;
  if (findProgram('curl') === undefined) return withoutCurl(title);
  const bare = await spawnBareFileServer(process.execPath);
  const cairn = await openCairn(join(directory, 'cairn'));
  const bazelRemote = await spawnBazelRemote(join(directory, 'bazel-remote'));
  const registry = await spawnRegistry(join(directory, 'registry'));
  const file = join(directory, 'blob');
  let blob: BigBlob;
  const put = (name: string, url: () => string | Promise<string>): Subject => ({
    name,
    async prepare() {
      blob = makeBigBlob(mebibytes);
      await writeDurably(file, blob.pieces);
    },
    async run() {
      await curl(await url(), file);
      return mebibytes;
    },
  });
  return {
    title,
    about: `A blob nobody has seen. The client is curl, a connection for each PUT. Cairn hashes with BLAKE3 and answers when file, directory and record are synced; ${bazelRemoteDurability}; ${registryDurability}, and takes two requests.`,
    unit: 'MiB',
    yardstickCount: 2,
    missing: missingPrograms(['bazel-remote', 'docker-registry']),
    subjects: [
      put('bare node:http, bytes thrown away', () => bare.url),
      plainWrite(join(directory, 'plain'), mebibytes),
      put('PUT', () => cairn.url + blob.path),
      ...(bazelRemote ? [put('bazel-remote', () => `${bazelRemote.url}/cas/${blob.sha256}`)] : []),
      ...(registry ? [put('docker-registry', () => registry.startUpload(blob.sha256))] : []),
    ],
    close: () => closeAll([bare, cairn, bazelRemote, registry]),
  };
}

function withoutCurl(title: string): Scenario {
  return { title, unit: 'MiB', yardstickCount: 0, subjects: [], missing: ['curl'], close: async () => {} };
}
