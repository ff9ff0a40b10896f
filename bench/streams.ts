// One large blob over one gRPC stream, down and up. The yardstick down is a bare `node:http2` server that sends a file
// unchecked; up, the slower of such a server that throws the bytes away and a plain write with a sync.

import { randomBytes } from 'node:crypto';
import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import type { Digest } from '../src/base/digest.js';
import { createHasher } from '../src/blake3/hasher.js';
import { encodeDigest } from '../src/client/wire.js';
import { DownloadRequestSchema, UploadRequestSchema } from '../src/gen/zako/v1/transport/transport_pb.js';
import type { Scenario } from './harness.js';
import { envelope, exchange, grpcHeaders, openSession } from './http2-client.js';
import { spawnBareServer, spawnCairn } from './processes.js';

const mib = 1024 * 1024;
const service = '/zako.v1.transport.Transport';

/** A blob nobody has seen: as many pieces of a MiB, all the same but for the first. */
function makeBlob(mebibytes: number): Uint8Array[] {
  const filler = randomBytes(mib);
  return [randomBytes(mib), ...Array.from({ length: mebibytes - 1 }, () => filler)];
}

function digestOf(pieces: readonly Uint8Array[]): Digest {
  const hasher = createHasher();
  for (const piece of pieces) hasher.update(piece);
  return hasher.digest();
}

function uploadMessages(pieces: readonly Uint8Array[]): Uint8Array[] {
  const metadata = { digest: encodeDigest(digestOf(pieces)) };
  return [
    create(UploadRequestSchema, { payload: { case: 'metadata', value: metadata } }),
    ...pieces.map((value) => create(UploadRequestSchema, { payload: { case: 'chunk', value } })),
  ].map((message) => envelope(toBinary(UploadRequestSchema, message)));
}

export async function downloads(directory: string, mebibytes: number): Promise<Scenario> {
  const file = join(directory, 'download');
  const pieces = makeBlob(mebibytes);
  await writeFile(file, pieces);
  const bare = await spawnBareServer(file);
  const cairn = await spawnCairn(join(directory, 'served-down'));
  const bareSession = await openSession(bare.url);
  const session = await openSession(cairn.url);
  await exchange(session, grpcHeaders(`${service}/Upload`), uploadMessages(pieces));

  const metadata = { digest: encodeDigest(digestOf(pieces)) };
  const question = envelope(toBinary(DownloadRequestSchema, create(DownloadRequestSchema, { metadata })));
  const expectBytes = (bytes: number) => {
    if (bytes < mebibytes * mib) throw new Error(`got ${bytes} bytes of ${mebibytes} MiB`);
    return mebibytes;
  };
  return {
    title: `Download: one stream of ${mebibytes} MiB`,
    unit: 'MiB',
    yardstickCount: 1,
    subjects: [
      {
        name: 'bare node:http2, positioned reads of 256 KiB',
        run: async () => expectBytes(await exchange(bareSession, { ':method': 'GET', ':path': '/' })),
      },
      {
        name: 'Download over gRPC',
        budget: 0.7,
        run: async () => expectBytes(await exchange(session, grpcHeaders(`${service}/Download`), [question])),
      },
      {
        name: 'GET over HTTP/2',
        run: async () => {
          const path = `/blobs/${Buffer.from(metadata.digest.blake3).toString('hex')}`;
          return expectBytes(await exchange(session, { ':method': 'GET', ':path': path }));
        },
      },
    ],
    close: async () => {
      bareSession.close();
      session.close();
      await bare.close();
      await cairn.close();
    },
  };
}

export async function uploads(directory: string, mebibytes: number): Promise<Scenario> {
  const bare = await spawnBareServer(process.execPath);
  const cairn = await spawnCairn(join(directory, 'served-up'));
  const bareSession = await openSession(bare.url);
  const session = await openSession(cairn.url);
  const path = join(directory, 'upload');

  let messages: Uint8Array[] = [];
  const prepare = async () => {
    messages = uploadMessages(makeBlob(mebibytes));
    await rm(path, { force: true });
  };
  return {
    title: `Upload: one stream of ${mebibytes} MiB, hashed and durable`,
    unit: 'MiB',
    yardstickCount: 2,
    subjects: [
      {
        name: 'bare node:http2, bytes thrown away',
        prepare,
        run: async () => {
          await exchange(bareSession, { ':method': 'POST', ':path': '/' }, messages);
          return mebibytes;
        },
      },
      {
        name: 'plain write and fdatasync',
        prepare,
        run: async () => {
          const file = await open(path, 'wx');
          for (const message of messages) await file.write(message);
          await file.datasync();
          await file.close();
          return mebibytes;
        },
      },
      {
        name: 'Upload over gRPC',
        budget: 0.5,
        prepare,
        run: async () => {
          await exchange(session, grpcHeaders(`${service}/Upload`), messages);
          return mebibytes;
        },
      },
    ],
    close: async () => {
      bareSession.close();
      session.close();
      await bare.close();
      await cairn.close();
    },
  };
}
