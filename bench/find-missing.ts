// Which of 4,096 blobs are missing, asked by one unary call, as a build asks its cache: Cairn's FindMissing and bazel-remote's
// FindMissingBlobs, whose digests are SHA-256 in hex. Half of the blobs asked for are stored.

import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { digestBlob } from '../src/blake3/hasher.js';
import { encodeDigest } from '../src/client/wire.js';
import { BatchWriteRequestSchema, FindMissingRequestSchema } from '../src/gen/cairn/v1/blob_service_pb.js';
import { grpcClient } from './grpc-streams.js';
import type { Scenario, Subject } from './harness.js';
import { envelope } from './http2-client.js';
import { http2Load } from './load.js';
import { spawnBazelRemote } from './peers/bazel-remote.js';
import {
  batchUpdateBlobs,
  batchUpdateMessage,
  findMissingBlobs,
  findMissingMessage,
} from './peers/remote-execution.js';
import { closeAll } from './processes.js';
import { missingPrograms } from './programs.js';
import { openCairn } from './servers.js';

const digestsPerCall = 4096;
const blobBytes = 64;
const width = 4;

export async function findMissing(directory: string, calls: number): Promise<Scenario> {
  const cairn = await openCairn(join(directory, 'cairn'));
  const bazelRemote = await spawnBazelRemote(join(directory, 'bazel-remote'));
  const all = Array.from({ length: digestsPerCall }, () => {
    const data = randomBytes(blobBytes);
    const sha256 = createHash('sha256').update(data).digest('hex');
    return { data, size: blobBytes, sha256, digest: encodeDigest(digestBlob(data)) };
  });
  const stored = all.filter((_, i) => i % 2 === 0);
  const body = join(directory, 'stored');
  const items = stored.map(({ digest, data }) => ({ digest, data }));
  await writeFile(body, envelope(toBinary(BatchWriteRequestSchema, create(BatchWriteRequestSchema, { items }))));
  await http2Load({ url: cairn.url, path: '/cairn.v1.BlobService/BatchWrite', body, calls: 1, width: 1 });
  if (bazelRemote) {
    await writeFile(body, batchUpdateMessage(stored));
    await http2Load({ url: bazelRemote.grpcUrl, path: batchUpdateBlobs, body, calls: 1, width: 1 });
  }

  const ask = async (name: string, url: string, path: string, message: Uint8Array): Promise<Subject> => {
    const question = join(directory, name);
    await writeFile(question, message);
    return {
      name,
      async run() {
        const received = await http2Load({ url, path, body: question, calls, width });
        const expected = (calls * message.length) / 2;
        if (Math.abs(received - expected) > expected / 50) throw new Error(`${name}: got ${received} bytes`);
        return calls * digestsPerCall;
      },
    };
  };
  const digests = all.map(({ digest }) => digest);
  const request = envelope(toBinary(FindMissingRequestSchema, create(FindMissingRequestSchema, { digests })));
  const ours = await ask('FindMissing over gRPC', cairn.url, '/cairn.v1.BlobService/FindMissing', request);
  const theirs =
    bazelRemote &&
    (await ask('bazel-remote, FindMissingBlobs', bazelRemote.grpcUrl, findMissingBlobs, findMissingMessage(all)));
  return {
    title: `Find missing: unary calls of ${digestsPerCall.toLocaleString('en-US')} digests, half of them stored`,
    about: `${width} calls at once on one connection. ${grpcClient}. Nothing is read from the disk by either.`,
    unit: 'digests',
    yardstickCount: 1,
    missing: missingPrograms(['bazel-remote']),
    subjects: [...(theirs ? [theirs] : []), ours],
    close: () => closeAll([cairn, bazelRemote]),
  };
}
