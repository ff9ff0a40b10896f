// Durable writes of small blobs by 16 writers at once. The yardstick does by hand what a store of one file for each blob
// has to: write to a temporary name, sync, rename, sync the directory.

import { randomBytes } from 'node:crypto';
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { hashHex } from '../src/base/digest.js';
import { digestBlob, hashBytes } from '../src/blake3/hasher.js';
import { encodeDigest } from '../src/client/wire.js';
import { BatchWriteRequestSchema, BatchWriteResponseSchema } from '../src/gen/cairn/v1/blob_service_pb.js';
import { UploadRequestSchema } from '../src/gen/zako/v1/transport/transport_pb.js';
import { concurrently, type Scenario } from './harness.js';
import { envelope, exchange, grpcHeaders, openSession } from './http2-client.js';
import { openBenchStore } from './local-store.js';
import { openCairn } from './servers.js';

const blobBytes = 4096;
const writers = 16;
const blobsPerBatch = 64;

export async function smallWrites(directory: string, blobCount: number): Promise<Scenario> {
  const store = await openBenchStore(join(directory, 'local'));
  const server = await openCairn(join(directory, 'served'));
  const session = await openSession(server.url);
  const files = join(directory, 'files');
  await mkdir(files);

  // New blobs for every run: writing what is there already costs nothing.
  let blobs: Uint8Array[] = [];
  const prepare = async () => {
    const bytes = randomBytes(blobBytes * blobCount);
    blobs = Array.from({ length: blobCount }, (_, i) => bytes.subarray(i * blobBytes, (i + 1) * blobBytes));
  };
  // Ready to be sent, since the client is not what is measured.
  let requests: Uint8Array[][] = [];
  const prepareBatches = async () => {
    await prepare();
    requests = Array.from({ length: blobCount / blobsPerBatch }, (_, i) => {
      return [batchWriteRequest(blobs.slice(i * blobsPerBatch, (i + 1) * blobsPerBatch))];
    });
  };
  const prepareUploads = async () => {
    await prepare();
    requests = blobs.map((blob) => [uploadRequest(blob)]);
  };

  const writeFile = async (index: number) => {
    const bytes = blobs[index]!;
    const name = hashHex(hashBytes(bytes));
    const folder = join(files, name.slice(0, 2));
    await mkdir(folder, { recursive: true });
    const file = await open(join(folder, `${name}.new`), 'wx');
    await file.write(bytes);
    await file.datasync();
    await file.close();
    await rename(join(folder, `${name}.new`), join(folder, name));
    const parent = await open(folder);
    await parent.sync();
    await parent.close();
  };
  const writeBatch = async (index: number) => {
    const answerBytes = await exchange(session, grpcHeaders('/cairn.v1.BlobService/BatchWrite'), requests[index]);
    if (answerBytes !== answerBytesOfSuccess) throw new Error('a blob of a batch was not stored');
  };
  const uploadOne = async (index: number) => {
    await exchange(session, grpcHeaders('/zako.v1.transport.Transport/Upload'), requests[index]);
  };
  const times = (count: number, task: (index: number) => Promise<void>) => async () => {
    await concurrently(writers, count, task);
    return blobCount;
  };

  return {
    title: `Small blobs: durable writes of ${blobBytes} bytes, ${writers} at once`,
    about: `The client is this process, over HTTP/2; it makes its requests beforehand. Every way answers when the blob is synced: Cairn's with its log's next sync, which others wait for, too.`,
    unit: 'blobs',
    yardstickCount: 1,
    subjects: [
      { name: 'one synced file for each blob, with its directory', prepare, run: times(blobCount, writeFile) },
      {
        name: 'LocalStore.write',
        prepare,
        run: times(blobCount, async (index) => void (await store.write(blobs[index]!))),
      },
      {
        name: `BatchWrite over gRPC, ${blobsPerBatch} blobs a call`,
        budget: 5,
        prepare: prepareBatches,
        run: times(blobCount / blobsPerBatch, writeBatch),
      },
      { name: 'Upload over gRPC, one blob a call', prepare: prepareUploads, run: times(blobCount, uploadOne) },
    ],
    close: async () => {
      session.close();
      await server.close();
      await store.close();
    },
  };
}

function batchWriteRequest(blobs: readonly Uint8Array[]): Uint8Array {
  const items = blobs.map((data) => ({ digest: encodeDigest(digestBlob(data)), data }));
  return envelope(toBinary(BatchWriteRequestSchema, create(BatchWriteRequestSchema, { items })));
}

/** Anything else that befalls a blob takes more bytes to say. */
const answerBytesOfSuccess = envelope(
  toBinary(
    BatchWriteResponseSchema,
    create(BatchWriteResponseSchema, {
      items: Array.from({ length: blobsPerBatch }, () => {
        return { digest: encodeDigest(digestBlob(new Uint8Array(blobBytes))), status: {} };
      }),
    }),
  ),
).length;

/** Both of its messages. */
function uploadRequest(chunk: Uint8Array): Uint8Array {
  const metadata = { digest: encodeDigest(digestBlob(chunk)) };
  const messages = [
    create(UploadRequestSchema, { payload: { case: 'metadata', value: metadata } }),
    create(UploadRequestSchema, { payload: { case: 'chunk', value: chunk } }),
  ];
  return Buffer.concat(messages.map((message) => envelope(toBinary(UploadRequestSchema, message))));
}
