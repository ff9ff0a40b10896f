// Small durable writes over HTTP/1.1, one PUT for each blob, by 16 writers at once: Cairn and bazel-remote, from wrk. Each server
// gets the same blobs, under the names that it knows them by, and in each run new ones.

import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashHex } from '../src/base/digest.js';
import { hashBytes } from '../src/blake3/hasher.js';
import type { Scenario, Subject } from './harness.js';
import { wrk } from './load.js';
import { bazelRemoteDurability, spawnBazelRemote } from './peers/bazel-remote.js';
import { closeAll } from './processes.js';
import { findProgram, missingPrograms } from './programs.js';
import { byDefault, defaultThreads, openCairn } from './servers.js';

const blobBytes = 4096;
const writers = 16;

/** With so many blobs for each run, which are more than are written in that time. */
export async function httpWrites(directory: string, blobs: number, seconds: number): Promise<Scenario> {
  const cairn = await openCairn(join(directory, 'cairn'));
  const withWorkers = await openCairn(join(directory, 'cairn-by-default'), defaultThreads);
  const bazelRemote = await spawnBazelRemote(join(directory, 'bazel-remote'));
  const records = join(directory, 'records');
  const script = join(directory, 'writes.lua');
  const write = (name: string, url: string, path: string, nameOf: (blob: Uint8Array) => string): Subject => ({
    name,
    async prepare() {
      const bytes = randomBytes(blobs * blobBytes);
      const each = Array.from({ length: blobs }, (_, i) => bytes.subarray(i * blobBytes, (i + 1) * blobBytes));
      await writeFile(
        records,
        each.flatMap((blob) => [Buffer.from(nameOf(blob)), blob]),
      );
      await writeFile(script, scriptOf(records, path));
    },
    async run() {
      const { requests } = await wrk({ url, connections: writers, seconds, script });
      if (requests > blobs) throw new Error(`${requests} writes of ${blobs} blobs`);
      return requests;
    },
  });
  const subjects = [
    write('bazel-remote', bazelRemote?.url ?? '', '/cas/', (blob) => createHash('sha256').update(blob).digest('hex')),
    write('PUT, one thread', cairn.url, '/blobs/', (blob) => hashHex(hashBytes(blob))),
    write(`PUT, ${byDefault}`, withWorkers.url, '/blobs/', (blob) => hashHex(hashBytes(blob))),
  ].slice(bazelRemote ? 0 : 1);
  return {
    title: `Small writes over HTTP/1.1: durable PUTs of ${blobBytes} bytes, ${writers} connections`,
    about: `The client is wrk. Cairn answers when the record is synced; ${bazelRemoteDurability}.`,
    unit: 'blobs',
    yardstickCount: 1,
    subjects: findProgram('wrk') === undefined ? [] : subjects,
    missing: missingPrograms(['wrk', 'bazel-remote']),
    close: () => closeAll([cairn, withWorkers, bazelRemote]),
  };
}

/** A PUT for each record of a name and a blob, the last one again when there are no more. */
function scriptOf(records: string, path: string): string {
  return `local file = io.open("${records}", "rb")
local record
request = function()
  record = file:read(${64 + blobBytes}) or record
  return wrk.format("PUT", "${path}" .. record:sub(1, 64), nil, record:sub(65))
end
`;
}
