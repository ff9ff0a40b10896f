// The sizes that a server takes and gives, and what becomes of calls that end in their middle.

import { connect as connectHttp2 } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { expect, it } from 'vitest';
import { limits } from '../../src/base/limits.js';
import { FindMissingResponseSchema } from '../../src/gen/cairn/v1/blob_service_pb.js';
import { NegotiateBlobsResponseSchema } from '../../src/gen/zako/v1/cas/cas_pb.js';
import { chunkMessage, collect, freshBlob, metadataMessage, sequence, uploadMessages } from './wire-blobs.js';
import type { WireCaller } from './wire-caller.js';

const mib = 1024 * 1024;

export function limitsSuite(caller: () => WireCaller): void {
  /** So many digests of blobs nobody has, as large as digests get on the wire. */
  function unknownDigests(count: number): { sizeBytes: bigint; blake3: Uint8Array }[] {
    return Array.from({ length: count }, (_, index) => {
      const blake3 = new Uint8Array(32);
      new DataView(blake3.buffer).setUint32(28, index + 1);
      return { sizeBytes: (1n << 53n) - 1n, blake3 };
    });
  }

  it('answers the longest question within 3 MiB', async () => {
    const digests = unknownDigests(limits.digestsPerRequestCountMax);
    const [negotiated] = await collect(caller().cas.negotiateBlobs(sequence([{ blobDigests: digests }])));
    expect(negotiated?.missingBlobDigests).toHaveLength(digests.length);
    expect(toBinary(NegotiateBlobsResponseSchema, negotiated!).length).toBeLessThanOrEqual(3 * mib);
    const found = await caller().blobs.findMissing({ digests });
    expect(found.missing.at(-1)?.blake3).toEqual(digests.at(-1)?.blake3);
    expect(toBinary(FindMissingResponseSchema, create(FindMissingResponseSchema, found)).length).toBeLessThan(3 * mib);
  });

  it.each([
    {
      name: 'NegotiateBlobs',
      call: () => collect(caller().cas.negotiateBlobs(sequence([{ blobDigests: unknownDigests(65_537) }]))),
    },
    { name: 'FindMissing', call: () => caller().blobs.findMissing({ digests: unknownDigests(65_537) }) },
    { name: 'BatchRead', call: () => caller().blobs.batchRead({ digests: unknownDigests(4097) }) },
    { name: 'BatchWrite', call: () => caller().blobs.batchWrite({ items: Array.from({ length: 4097 }, () => ({})) }) },
    {
      name: 'BatchWrite of more than 16 MiB',
      call: () => caller().blobs.batchWrite({ items: [1, 2].map(() => ({ data: new Uint8Array(8 * mib + 1) })) }),
    },
    { name: 'Stat', call: () => caller().blobs.stat({ hashes: unknownDigests(4097).map(({ blake3 }) => blake3) }) },
    { name: 'Delete', call: () => caller().blobs.delete({ hashes: unknownDigests(4097).map(({ blake3 }) => blake3) }) },
    {
      name: 'a message larger than a chunk of 16 MiB',
      call: () => caller().transport.upload(sequence([chunkMessage(new Uint8Array(16 * mib + 64 * 1024))])),
    },
    {
      name: 'a blob larger than blobs may be',
      call: () =>
        caller().transport.upload(sequence([metadataMessage({ sizeBytes: 1n << 52n, blake3: new Uint8Array(32) })])),
    },
  ])('refuses too much: $name', async ({ call }) => {
    const error = ConnectError.from(
      await Promise.resolve(call()).then(
        () => 'no error',
        (reason: unknown) => reason,
      ),
    );
    expect(Code[error.code]).toBe('ResourceExhausted');
  });

  it('takes a chunk of 16 MiB and sends it back in messages below 3 MiB', async () => {
    const blob = freshBlob(16 * mib);
    await caller().transport.upload(uploadMessages(blob, 16 * mib));
    const parts = await collect(caller().transport.download({ metadata: { digest: blob.message } }));
    expect(Math.max(...parts.map(({ data }) => data.length))).toBeLessThan(3 * mib);
    expect(Buffer.concat(parts.map(({ data }) => data)).equals(blob.bytes)).toBe(true);
    await caller().blobs.delete({ hashes: [blob.digest.hash] });
  });

  it('pages lists by 1,000, and by 10,000 at most', async () => {
    const items = Array.from({ length: 1001 }, () => freshBlob(8)).map(({ message, bytes }) => ({
      digest: message,
      data: bytes,
    }));
    await caller().blobs.batchWrite({ items });
    expect((await caller().blobs.list({})).digests).toHaveLength(1000);
    const all = await caller().blobs.list({ pageSize: 2 ** 31 - 1 });
    expect(all.digests.length).toBe(Number(all.totalCount));
    await caller().blobs.delete({ hashes: items.map(({ digest }) => digest.blake3) });
  });

  it('refuses what grows beyond the limit when it is decompressed', async () => {
    const bomb = gzipSync(new Uint8Array(64 * mib));
    expect(bomb.length).toBeLessThan(mib);
    const response = await fetch(`${caller().baseUrl}/cairn.v1.BlobService/FindMissing`, {
      method: 'POST',
      headers: { 'content-type': 'application/proto', 'content-encoding': 'gzip' },
      body: bomb,
    });
    expect(await response.json()).toMatchObject({ code: 'resource_exhausted' });
  });

  it('answers nothing compressed, though the client would take it', async () => {
    const response = await fetch(`${caller().baseUrl}/cairn.v1.BlobService/List`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'accept-encoding': 'gzip' },
      body: '{}',
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-encoding')).toBeNull();
  });

  it('stores nothing of an upload that is cut in its middle', async () => {
    const blob = freshBlob(2 * mib);
    const abort = new AbortController();
    const messages = (async function* () {
      yield metadataMessage(blob.message);
      yield chunkMessage(blob.bytes.subarray(0, mib));
      setTimeout(() => abort.abort(), 20);
      await new Promise(() => {});
    })();
    await expect(caller().transport.upload(messages, { signal: abort.signal })).rejects.toMatchObject({
      code: Code.Canceled,
    });
    expect((await caller().blobs.findMissing({ digests: [blob.message] })).missing).toHaveLength(1);
    await caller().transport.upload(uploadMessages(blob));
  });

  it('ends a call at its deadline', async () => {
    const started = performance.now();
    const stalled = (async function* () {
      yield metadataMessage(freshBlob(100).message);
      await new Promise(() => {});
    })();
    const call = caller().transport.upload(stalled, { timeoutMs: 200 });
    await expect(call).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('answers an upload early while the client goes on sending, and the connection stays good', async () => {
    const blob = freshBlob(100_000);
    await caller().transport.upload(uploadMessages(blob));
    const session = connectHttp2(caller().baseUrl);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/zako.v1.transport.Transport/Upload',
      'content-type': 'application/grpc+proto',
      te: 'trailers',
    });
    const digest = Buffer.concat([Buffer.from([0x08, ...varint(100_000), 0x12, 32]), blob.digest.hash]);
    const resource = Buffer.concat([Buffer.from([0x0a, digest.length]), digest]);
    const message = Buffer.concat([Buffer.from([0x0a, resource.length]), resource]);
    stream.write(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
    const trailers = await new Promise<Record<string, unknown>>((resolve, reject) => {
      stream.on('error', reject);
      stream.on('trailers', resolve);
      stream.on('response', (headers) => {
        if (headers['grpc-status'] !== undefined) resolve(headers);
      });
      stream.resume();
    });
    expect(trailers['grpc-status']).toBe(String(Code.AlreadyExists));
    stream.end(Buffer.alloc(10));
    await new Promise<void>((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve())));
    session.close();
  });
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}
