// What the lane does that the stock handler does not, or does later; everything else is in the differential test.

import { type ClientHttp2Stream, connect } from 'node:http2';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { encodeEnvelope } from '../../../../src/api/rpc/lane/envelope.js';
import { messageHead } from '../../../../src/api/rpc/lane/lane-download.js';
import { ByteBudget } from '../../../../src/base/byte-budget.js';
import { systemClock } from '../../../../src/base/clock.js';
import { limits } from '../../../../src/base/limits.js';
import { MemoryStore } from '../../../../src/cas/memory-store.js';
import { BatchReadRequestSchema, BatchWriteRequestSchema } from '../../../../src/gen/cairn/v1/blob_service_pb.js';
import { NegotiateBlobsRequestSchema } from '../../../../src/gen/zako/v1/cas/cas_pb.js';
import {
  DownloadRequestSchema,
  DownloadResponseSchema,
  UploadRequestSchema,
} from '../../../../src/gen/zako/v1/transport/transport_pb.js';
import { chunkMessage, freshBlob, metadataMessage } from '../../../conformance/wire-blobs.js';
import { type GivenParts, startRpcServer } from '../rpc-server.js';

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function open(method: 'Upload' | 'Download', given: GivenParts = {}, headers: Record<string, string> = {}) {
  const server = await startRpcServer(given);
  cleanUps.push(() => server.stop());
  const session = connect(server.baseUrl);
  cleanUps.push(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': `/zako.v1.transport.Transport/${method}`,
    'content-type': 'application/grpc',
    ...headers,
  });
  stream.on('error', () => {});
  return { server, session, stream };
}

function status(stream: ClientHttp2Stream): Promise<number> {
  return new Promise((resolve) => {
    stream.on('trailers', (trailers) => resolve(Number(trailers['grpc-status'])));
    stream.resume();
  });
}

const encode = (message: ReturnType<typeof metadataMessage>) =>
  encodeEnvelope(0, toBinary(UploadRequestSchema, create(UploadRequestSchema, message)));

describe('the lane', () => {
  it('refuses a request that ends right behind the head of an envelope', async () => {
    const { server, stream } = await open('Upload');
    const blob = freshBlob(100);
    stream.end(
      Buffer.concat([
        encode(metadataMessage(blob.message)),
        encode(chunkMessage(blob.bytes)),
        Buffer.from([0, 0, 0, 0, 9]),
      ]),
    );
    expect(await status(stream)).toBe(Code.InvalidArgument);
    expect(await server.parts.store.usage()).toMatchObject({ blobs: 0 });
  });

  it('ends a download at its deadline, though its question never comes', async () => {
    const { stream } = await open('Download', {}, { 'grpc-timeout': '50m' });
    expect(await status(stream)).toBe(Code.DeadlineExceeded);
  });

  it('closes the stream of an upload that was answered early and whose rest does not come in time', async () => {
    const waits: { milliseconds: number; callback: () => void }[] = [];
    const after = (milliseconds: number, callback: () => void) => {
      waits.push({ milliseconds, callback });
      return () => {};
    };
    const { stream, server } = await open('Upload', { clock: { ...systemClock, after } });
    stream.write(encode(chunkMessage(new Uint8Array(10))));
    expect(await status(stream)).toBe(Code.FailedPrecondition);
    await vi.waitFor(() => expect(waits).toMatchObject([{ milliseconds: limits.lingerMillisecondsMax }]));
    expect(server.calls).toEqual([]);
    waits[0]!.callback();
    await vi.waitFor(() => expect(server.calls).toMatchObject([{ code: 'failed_precondition' }]));
  });

  describe('gives up a caller that stalls', () => {
    let lookAgain: (() => void) | undefined;
    const clock = {
      ...systemClock,
      after(milliseconds: number, callback: () => void) {
        if (milliseconds !== limits.stalledBodyMillisecondsMax) return systemClock.after(milliseconds, callback);
        lookAgain = callback;
        return () => {
          lookAgain = undefined;
        };
      },
    };

    it('an upload: it stores nothing, and tells', async () => {
      const store = new MemoryStore();
      let taken = 0;
      async function* counted(source: AsyncIterable<Uint8Array>) {
        for await (const piece of source) {
          taken += piece.length;
          yield piece;
        }
      }
      const write = store.write.bind(store);
      store.write = (source, options) => write(counted(source as AsyncIterable<Uint8Array>), options);
      const { stream, server } = await open('Upload', { store, clock });
      const blob = freshBlob(300_000);
      const answered = status(stream);
      stream.write(encode(metadataMessage(blob.message)));
      stream.write(encode(chunkMessage(blob.bytes.subarray(0, 100_000))));
      await vi.waitFor(() => expect(lookAgain).toBeDefined());
      // What has come meanwhile is progress.
      stream.write(encode(chunkMessage(blob.bytes.subarray(100_000, 200_000))));
      await vi.waitFor(() => expect(taken).toBe(200_000));
      lookAgain!();
      expect(server.calls).toEqual([]);
      lookAgain!();
      expect(await answered).toBe(Code.DeadlineExceeded);
      expect(lookAgain).toBeUndefined();
      expect(await server.parts.store.usage()).toMatchObject({ blobs: 0 });
    });

    it('a download: it closes the blob and the stream', async () => {
      const store = new MemoryStore();
      const blob = freshBlob(8_000_000);
      await store.write(blob.bytes);
      const { stream, server } = await open('Download', { store, clock });
      const question = create(DownloadRequestSchema, { metadata: { digest: blob.message } });
      stream.end(encodeEnvelope(0, toBinary(DownloadRequestSchema, question)));
      await new Promise((resolve) => stream.once('response', resolve));
      await vi.waitFor(() => expect(lookAgain).toBeDefined());
      // Nobody reads the stream. Looked at often enough, there is a time in which nothing has moved.
      await vi.waitFor(() => {
        lookAgain?.();
        expect(server.calls).toMatchObject([{ code: 'deadline_exceeded' }]);
      });
      expect(lookAgain).toBeUndefined();
    });
  });

  it('holds the sender up while the store takes nothing, and goes on when it does', async () => {
    const store = new MemoryStore();
    let goOn = () => {};
    const paused = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const write = store.write.bind(store);
    store.write = async (source, options) => {
      await paused;
      return write(source, options);
    };
    const { stream, server } = await open('Upload', { store });
    const blob = freshBlob(8_000_000);
    const answered = status(stream);
    stream.write(encode(metadataMessage(blob.message)));
    stream.end(encode(chunkMessage(blob.bytes)));
    await new Promise((resolve) => setTimeout(resolve, 100));
    // What did not leave the client waits there.
    expect(stream.writableFinished).toBe(false);
    goOn();
    expect(await answered).toBe(0);
    expect(await server.parts.store.usage()).toEqual({ blobs: 1, bytes: 8_000_000 });
  });

  it('leaves an answer alone that has not left yet', async () => {
    const blobs = [freshBlob(4096), freshBlob(4096), freshBlob(4096)];
    const store = new MemoryStore();
    for (const { bytes } of blobs) await store.write(bytes);
    const server = await startRpcServer({ store });
    cleanUps.push(() => server.stop());
    const ask = (initialWindowSize: number, { message }: (typeof blobs)[0]) => {
      const session = connect(server.baseUrl, { settings: { initialWindowSize } });
      cleanUps.push(() => session.destroy());
      const path = '/zako.v1.transport.Transport/Download';
      const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' });
      const question = create(DownloadRequestSchema, { metadata: { digest: message } });
      stream.end(encodeEnvelope(0, toBinary(DownloadRequestSchema, question)));
      return stream;
    };
    const body = async (stream: ClientHttp2Stream) => {
      const pieces: Buffer[] = [];
      for await (const piece of stream) pieces.push(piece);
      return Buffer.concat(pieces);
    };
    const held = ask(100, blobs[0]!);
    await new Promise((resolve) => held.once('response', resolve));
    for (const blob of blobs.slice(1))
      expect((await body(ask(65_535, blob))).subarray(8)).toEqual(Buffer.from(blob.bytes));
    expect((await body(held)).subarray(8)).toEqual(Buffer.from(blobs[0]!.bytes));
  });

  it.each([1, 127, 128, 16_383, 16_384, 262_144, 2_097_152])(
    'heads a message of %i bytes as the encoder does',
    (bytes) => {
      const message = toBinary(DownloadResponseSchema, create(DownloadResponseSchema, { data: new Uint8Array(bytes) }));
      expect(Buffer.from(messageHead(bytes))).toEqual(encodeEnvelope(0, message).subarray(0, -bytes));
    },
  );
});

describe.each([
  { name: 'the lane', withLane: true },
  { name: 'the stock handler', withLane: false },
])('messages of $name', ({ withLane }) => {
  const budgetBytes = 200_000;

  async function start() {
    const store = new MemoryStore();
    const messageBudget = new ByteBudget(budgetBytes);
    const server = await startRpcServer({ store, messageBudget, withLane });
    const session = connect(server.baseUrl);
    cleanUps.push(() => server.stop());
    cleanUps.push(() => session.destroy());
    const open = (path: string) => {
      const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' });
      stream.on('error', () => {});
      return stream;
    };
    const call = (method: string, message: Uint8Array) => {
      const stream = open(`/cairn.v1.BlobService/${method}`);
      stream.end(encodeEnvelope(0, message));
      return status(stream);
    };
    const write = (bytes: number) => {
      const { message, bytes: data } = freshBlob(bytes);
      return call('BatchWrite', encodeWrite({ items: [{ digest: message, data }] }));
    };
    return { store, messageBudget, open, call, write };
  }

  const encodeWrite = (items: MessageInitShape<typeof BatchWriteRequestSchema>) =>
    toBinary(BatchWriteRequestSchema, create(BatchWriteRequestSchema, items));

  it('are refused when all together hold too much, and counted no longer than they live', async () => {
    const { messageBudget, write } = await start();
    expect(await write(budgetBytes / 2)).toBe(0);
    await vi.waitFor(() => expect(messageBudget.takenBytes).toBe(0));
    messageBudget.take(budgetBytes - 1);
    expect(await write(budgetBytes / 2)).toBe(Code.ResourceExhausted);
    // Small ones need no grant.
    expect(await write(1000)).toBe(0);
    await vi.waitFor(() => expect(messageBudget.takenBytes).toBe(budgetBytes - 1));
  });

  it('are counted in streams, too, each until its answer', async () => {
    const { messageBudget, open } = await start();
    const digests = Array.from({ length: 1500 }, () => freshBlob(16).message);
    const question = encodeEnvelope(
      0,
      toBinary(NegotiateBlobsRequestSchema, create(NegotiateBlobsRequestSchema, { blobDigests: digests })),
    );
    const stream = open('/zako.v1.cas.ContentAddressableStorage/NegotiateBlobs');
    let answered = 0;
    stream.on('data', (piece: Buffer) => {
      answered += piece.length;
    });
    for (let i = 1; i <= 4; i++) {
      stream.write(question.subarray(0, 40_000));
      await vi.waitFor(() => expect(messageBudget.takenBytes).toBeGreaterThan(30_000));
      stream.write(question.subarray(40_000));
      await vi.waitFor(() => expect(answered).toBe(i * question.length));
      await vi.waitFor(() => expect(messageBudget.takenBytes).toBe(0));
    }
    messageBudget.take(budgetBytes - 1);
    stream.write(question);
    expect(await status(stream)).toBe(Code.ResourceExhausted);
    await vi.waitFor(() => expect(messageBudget.takenBytes).toBe(budgetBytes - 1));
  });

  it('are counted as answers, too', async () => {
    const { store, messageBudget, call } = await start();
    const blob = freshBlob(1000);
    await store.write(blob.bytes);
    const question = toBinary(BatchReadRequestSchema, create(BatchReadRequestSchema, { digests: [blob.message] }));
    messageBudget.take(budgetBytes - 999);
    expect(await call('BatchRead', question)).toBe(Code.ResourceExhausted);
    messageBudget.give(1);
    expect(await call('BatchRead', question)).toBe(0);
    await vi.waitFor(() => expect(messageBudget.takenBytes).toBe(budgetBytes - 1000));
  });
});
