// How many digests a second the server can say "have it" or "missing" to: half of each, 8,192 in a message, on one
// NegotiateBlobs stream with two messages under way. The yardstick is the store itself, asked in this process.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { type Digest, toDigest, toHash } from '../src/base/digest.js';
import { digestBlob } from '../src/blake3/hasher.js';
import { openNodeTransport } from '../src/client/node-transport.js';
import { encodeDigest } from '../src/client/wire.js';
import { BlobService } from '../src/gen/cairn/v1/blob_service_pb.js';
import { NegotiateBlobsRequestSchema } from '../src/gen/zako/v1/cas/cas_pb.js';
import { concurrently, type Scenario } from './harness.js';
import { envelope, exchange, grpcHeaders, openSession } from './http2-client.js';
import { openBenchStore } from './local-store.js';
import { openCairn } from './servers.js';

const digestsPerMessage = 8192;
const blobBytes = 64;
const blobsPerBatch = 4096;

export async function negotiations(directory: string, blobCount: number, messageCount: number): Promise<Scenario> {
  const store = await openBenchStore(join(directory, 'local-negotiate'));
  const server = await openCairn(join(directory, 'served-negotiate'));
  const transport = openNodeTransport(server.url);
  const service = createClient(BlobService, transport.transport);

  const present: Digest[] = [];
  await concurrently(2, Math.ceil(blobCount / blobsPerBatch), async () => {
    const blobs = Array.from({ length: blobsPerBatch }, () => randomBytes(blobBytes));
    const digests = blobs.map((bytes) => digestBlob(bytes));
    await service.batchWrite({ items: blobs.map((data, i) => ({ digest: encodeDigest(digests[i]!), data })) });
    await Promise.all(blobs.map((bytes) => store.write(bytes)));
    present.push(...digests);
  });
  transport.close();

  const questions = Array.from({ length: messageCount }, (_, message) =>
    Array.from({ length: digestsPerMessage }, (_, i) =>
      i % 2 === 0
        ? present[(message * digestsPerMessage + i) % present.length]!
        : toDigest(toHash(randomBytes(32)), blobBytes),
    ),
  );
  const messages = questions.map((digests) => {
    const request = create(NegotiateBlobsRequestSchema, { blobDigests: digests.map(encodeDigest) });
    return envelope(toBinary(NegotiateBlobsRequestSchema, request));
  });
  const session = await openSession(server.url);
  const asked = messageCount * digestsPerMessage;
  return {
    title: `Negotiate: ${present.length.toLocaleString('en-US')} blobs stored, half of the digests asked are among them`,
    about: 'The client is this process, with one stream of HTTP/2. Nothing is read from the disk.',
    unit: 'digests',
    yardstickCount: 1,
    subjects: [
      {
        name: 'LocalStore.stat',
        run: async () => {
          for (const digests of questions) await store.stat(digests.map(({ hash }) => hash));
          return asked;
        },
      },
      {
        name: 'NegotiateBlobs over gRPC, one stream',
        run: async () => {
          const path = '/zako.v1.cas.ContentAddressableStorage/NegotiateBlobs';
          await exchange(session, grpcHeaders(path), messages);
          return asked;
        },
      },
    ],
    close: async () => {
      session.close();
      await server.close();
      await store.close();
    },
  };
}
