// Small blobs over gRPC, one call each: the lane, the general handler, bazel-remote's ByteStream, and a bare `node:http2` stream that
// reads 4 KiB from a file and frames them.

import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { hashHex } from '../src/base/digest.js';
import { digestBlob } from '../src/blake3/hasher.js';
import { encodeDigest } from '../src/client/wire.js';
import { DownloadRequestSchema } from '../src/gen/zako/v1/transport/transport_pb.js';
import { grpcClient, stockName } from './grpc-streams.js';
import type { Scenario, Subject } from './harness.js';
import { envelope } from './http2-client.js';
import { http2Load, put } from './load.js';
import { spawnBazelRemote } from './peers/bazel-remote.js';
import { byteStreamRead, readMessage } from './peers/remote-execution.js';
import { closeAll, spawnBareServer } from './processes.js';
import { missingPrograms } from './programs.js';
import { openCairn } from './servers.js';

const blobBytes = 4096;
const method = '/zako.v1.transport.Transport/Download';

/** The general handler makes a fifth of the calls, to take as long. */
export async function smallDownloads(directory: string, calls: number): Promise<Scenario> {
  const bytes = randomBytes(blobBytes);
  const file = join(directory, 'blob');
  await writeFile(file, bytes);
  const bare = await spawnBareServer(file);
  const lane = await openCairn(join(directory, 'lane'));
  const stock = await openCairn(join(directory, 'stock'), '--no-lane');
  const bazelRemote = await spawnBazelRemote(join(directory, 'bazel-remote'));
  const digest = digestBlob(bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  for (const { url } of [lane, stock]) await put(`${url}/blobs/${hashHex(digest.hash)}`, bytes);
  if (bazelRemote) await put(`${bazelRemote.url}/cas/${sha256}`, bytes);

  const request = create(DownloadRequestSchema, { metadata: { digest: encodeDigest(digest) } });
  const question = join(directory, 'question');
  await writeFile(question, envelope(toBinary(DownloadRequestSchema, request)));
  const theirQuestion = join(directory, 'their-question');
  await writeFile(theirQuestion, readMessage({ sha256, size: blobBytes }));
  const calling = (name: string, url: string, path: string, body: string, count = calls): Subject => ({
    name,
    async run() {
      const received = await http2Load({ url, path, body, calls: count, width: 64 });
      if (received < count * blobBytes) throw new Error(`${name}: got ${received} bytes`);
      return count;
    },
  });
  return {
    title: 'Small downloads over gRPC: 4 KiB each, 64 at once',
    about: `One blob again and again, from the page cache; 4 connections. ${grpcClient}.`,
    unit: 'downloads',
    yardstickCount: 1,
    missing: missingPrograms(['bazel-remote']),
    subjects: [
      calling('bare node:http2, framed by hand', bare.url, method, question),
      calling(stockName, stock.url, method, question, Math.ceil(calls / 5)),
      {
        ...calling('Download over gRPC', lane.url, method, question),
        budget: 0.7,
        atLeast: { [stockName]: 5 },
      },
      ...(bazelRemote
        ? [calling('bazel-remote, ByteStream.Read', bazelRemote.grpcUrl, byteStreamRead, theirQuestion)]
        : []),
    ],
    close: () => closeAll([bare, lane, stock, bazelRemote]),
  };
}
