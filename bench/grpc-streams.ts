// One large blob over one gRPC stream, down and up: the lane, the general handler that it stands beside, and bazel-remote's
// ByteStream. The yardstick down is a bare `node:http2` server that sends a file unchecked; up, the slower of such a server that
// throws the bytes away and a plain write with a sync.

import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { encodeDigest } from '../src/client/wire.js';
import { DownloadRequestSchema } from '../src/gen/zako/v1/transport/transport_pb.js';
import { type BigBlob, makeBigBlob, uploadMessages, writeDurably } from './big-blob.js';
import type { Scenario, Subject } from './harness.js';
import { envelope } from './http2-client.js';
import { http2Load } from './load.js';
import { bazelRemoteDurability, spawnBazelRemote } from './peers/bazel-remote.js';
import { byteStreamRead, byteStreamWrite, readMessage, writeMessages } from './peers/remote-execution.js';
import { closeAll, spawnBareServer } from './processes.js';
import { missingPrograms } from './programs.js';
import { openCairn } from './servers.js';

const service = '/zako.v1.transport.Transport';
export const stockName = 'the general handler (--no-lane)';
export const grpcClient = 'The client is h2load, or this process where that is missing';

export async function downloads(directory: string, mebibytes: number): Promise<Scenario> {
  const blob = makeBigBlob(mebibytes);
  const file = join(directory, 'blob');
  await writeDurably(file, blob.pieces);
  const bare = await spawnBareServer(file);
  const lane = await openCairn(join(directory, 'lane'));
  const stock = await openCairn(join(directory, 'stock'), '--no-lane');
  const bazelRemote = await spawnBazelRemote(join(directory, 'bazel-remote'));
  const body = join(directory, 'body');
  await writeDurably(body, uploadMessages(blob));
  for (const { url } of [lane, stock]) await call(url, `${service}/Upload`, body);
  if (bazelRemote) {
    await writeDurably(body, writeMessages(blob, blob.pieces));
    await call(bazelRemote.grpcUrl, byteStreamWrite, body);
  }

  const ask = async (name: string, url: string, path: string, message?: Uint8Array): Promise<Subject> => {
    const question = message && join(directory, `question-${name}`);
    if (question) await writeDurably(question, [message]);
    return {
      name,
      async run() {
        const received = await http2Load({ url, path, calls: 1, width: 1, ...(question && { body: question }) });
        if (received < blob.size) throw new Error(`${name}: got ${received} bytes of ${blob.size}`);
        return mebibytes;
      },
    };
  };
  const request = create(DownloadRequestSchema, { metadata: { digest: encodeDigest(blob.digest) } });
  const question = envelope(toBinary(DownloadRequestSchema, request));
  const download = await ask('Download over gRPC', lane.url, `${service}/Download`, question);
  return {
    title: `Download: one stream of ${mebibytes.toLocaleString('en-US')} MiB`,
    about: `From the page cache, one stream of HTTP/2. ${grpcClient}. Cairn checks the bytes as it reads them; the others send what the file has.`,
    unit: 'MiB',
    yardstickCount: 1,
    missing: missingPrograms(['bazel-remote']),
    subjects: [
      await ask('bare node:http2, positioned reads of 256 KiB', bare.url, '/'),
      await ask(stockName, stock.url, `${service}/Download`, question),
      { ...download, budget: 0.7, atLeast: { [stockName]: 4 } },
      { ...(await ask('GET over HTTP/2', lane.url, blob.path)), budget: 0.7 },
      ...(bazelRemote
        ? [await ask('bazel-remote, ByteStream.Read', bazelRemote.grpcUrl, byteStreamRead, readMessage(blob))]
        : []),
    ],
    close: () => closeAll([bare, lane, stock, bazelRemote]),
  };
}

export async function uploads(directory: string, mebibytes: number): Promise<Scenario> {
  const bare = await spawnBareServer(process.execPath);
  const lane = await openCairn(join(directory, 'lane'));
  const stock = await openCairn(join(directory, 'stock'), '--no-lane');
  const bazelRemote = await spawnBazelRemote(join(directory, 'bazel-remote'));
  const body = join(directory, 'body');
  let blob: BigBlob;
  const upload = (
    name: string,
    url: string,
    path: string,
    messages: () => Uint8Array[] = () => uploadMessages(blob),
  ) => ({
    name,
    async prepare() {
      blob = makeBigBlob(mebibytes);
      await writeDurably(body, messages());
    },
    async run() {
      await call(url, path, body);
      return mebibytes;
    },
  });
  return {
    title: `Upload: one stream of ${mebibytes} MiB, hashed and durable`,
    about: `A blob nobody has seen, one stream of HTTP/2. ${grpcClient}. Cairn hashes with BLAKE3 and answers when file, directory and record are synced; ${bazelRemoteDurability}.`,
    unit: 'MiB',
    yardstickCount: 2,
    missing: missingPrograms(['bazel-remote']),
    subjects: [
      upload('bare node:http2, bytes thrown away', bare.url, '/'),
      plainWrite(join(directory, 'plain'), mebibytes),
      upload(stockName, stock.url, `${service}/Upload`),
      { ...upload('Upload over gRPC', lane.url, `${service}/Upload`), budget: 0.5, atLeast: { [stockName]: 2 } },
      ...(bazelRemote
        ? [
            upload('bazel-remote, ByteStream.Write', bazelRemote.grpcUrl, byteStreamWrite, () =>
              writeMessages(blob, blob.pieces),
            ),
          ]
        : []),
    ],
    close: () => closeAll([bare, lane, stock, bazelRemote]),
  };
}

/** The yardstick of what is written: no network, no hash. As in a store, each is a file more: what is written over is in memory. */
export function plainWrite(path: string, mebibytes: number): Subject {
  let files = 0;
  const piece = makeBigBlob(1).pieces[0]!;
  const pieces = Array.from({ length: mebibytes }, () => piece);
  return {
    name: 'plain write and fdatasync',
    async run() {
      await writeDurably(`${path}-${++files}`, pieces);
      return mebibytes;
    },
  };
}

/** One call with this body that must succeed, which it has not if there is no answer. */
async function call(url: string, path: string, body: string): Promise<void> {
  const received = await http2Load({ url, path, body, calls: 1, width: 1 });
  if (received === 0 && path !== '/') throw new Error(`${path} failed`);
}
