// What every server must answer, whichever way it is spoken to: each RPC over each protocol, encoding and HTTP version
// that can carry it. A suite gets a server with an empty store and no required tokens.

import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptyDigest } from '../../src/base/digest.js';
import { limits } from '../../src/base/limits.js';
import { BlobService } from '../../src/gen/cairn/v1/blob_service_pb.js';
import { Health, HealthCheckResponse_ServingStatus } from '../../src/gen/grpc/health/v1/health_pb.js';
import { ServerReflection } from '../../src/gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as ServerReflectionAlpha } from '../../src/gen/grpc/reflection/v1alpha/reflection_pb.js';
import { ContentAddressableStorage } from '../../src/gen/zako/v1/cas/cas_pb.js';
import { Protocol } from '../../src/gen/zako/v1/net/net_pb.js';
import { Transport } from '../../src/gen/zako/v1/transport/transport_pb.js';
import {
  chunkMessage,
  collect,
  freshBlob,
  metadataMessage,
  namedBlob,
  sequence,
  type TestBlob,
  uploadMessages,
} from './wire-blobs.js';
import { type Face, faces, grpcFace } from './wire-faces.js';
import { grpcJsSuite } from './wire-grpc-js.js';
import { limitsSuite } from './wire-limits.js';

export interface WireServer {
  readonly baseUrl: string;
  stop(): Promise<void>;
}

export function wireSuite(name: string, start: () => Promise<WireServer>): void {
  describe(`wire: ${name}`, () => {
    let server: WireServer;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server.stop());
    const baseUrl = () => server.baseUrl;
    describe.each(faces)('$name', (face) => faceSuite(face, baseUrl));
    describe('limits', () => limitsSuite(grpcFace, baseUrl));
    describe('grpc-js', () => grpcJsSuite(baseUrl));
  });
}

interface Clients {
  readonly cas: Client<typeof ContentAddressableStorage>;
  readonly transport: Client<typeof Transport>;
  readonly blobs: Client<typeof BlobService>;
  readonly health: Client<typeof Health>;
  readonly reflection: Client<typeof ServerReflection>;
  readonly reflectionAlpha: Client<typeof ServerReflectionAlpha>;
}

function faceSuite(face: Face, baseUrl: () => string): void {
  let clients: Clients;
  let close: () => void;
  beforeAll(() => {
    const connection = face.connect(baseUrl());
    close = () => connection.close();
    const of = connection.transport;
    clients = {
      cas: createClient(ContentAddressableStorage, of),
      transport: createClient(Transport, of),
      blobs: createClient(BlobService, of),
      health: createClient(Health, of),
      reflection: createClient(ServerReflection, of),
      reflectionAlpha: createClient(ServerReflectionAlpha, of),
    };
  });
  afterAll(() => close());
  const stored = async (blob: TestBlob) => {
    await clients.transport.upload(uploadMessages(blob));
    return blob;
  };
  const downloaded = async (blob: TestBlob, range?: { start: bigint; length?: bigint }) =>
    Buffer.concat(
      (await collect(clients.transport.download({ metadata: { digest: blob.message, ...(range && { range }) } }))).map(
        ({ data }) => data,
      ),
    );
  const missing = async (blob: TestBlob) => (await clients.blobs.findMissing({ digests: [blob.message] })).missing;

  describe('NegotiateBlobs', () => {
    if (!face.supportsBidi) {
      it('is refused, since it needs HTTP/2', async () => {
        await expect(collect(clients.cas.negotiateBlobs(sequence([{}])))).rejects.toBeInstanceOf(ConnectError);
      });
      return;
    }

    it('answers each request in order, also when nothing is missing', async () => {
      const here = await stored(freshBlob(100));
      const gone = freshBlob(100);
      const answers = await collect(
        clients.cas.negotiateBlobs(
          sequence([
            { blobDigests: [gone.message, here.message] },
            { blobDigests: [here.message] },
            { blobDigests: [] },
            { blobDigests: [gone.message] },
          ]),
        ),
      );
      expect(
        answers.map(({ missingBlobDigests }) => missingBlobDigests.map(({ blake3 }) => Buffer.from(blake3))),
      ).toEqual([[gone], [], [], [gone]].map((blobs) => blobs.map(({ digest }) => Buffer.from(digest.hash))));
    });

    it('answers a request before the next is sent', async () => {
      let sendSecond = () => {};
      const firstAnswered = new Promise<void>((resolve) => {
        sendSecond = resolve;
      });
      const requests = (async function* () {
        yield { blobDigests: [freshBlob(10).message] };
        await firstAnswered;
        yield { blobDigests: [] };
      })();
      const counts: number[] = [];
      for await (const { missingBlobDigests } of clients.cas.negotiateBlobs(requests)) {
        counts.push(missingBlobDigests.length);
        sendSecond();
      }
      expect(counts).toEqual([1, 0]);
    });

    it('names the missing in request order, each once, and those of another size', async () => {
      const here = await stored(freshBlob(100));
      const otherSize = { ...here.message, sizeBytes: 99n };
      const [a, b] = [freshBlob(50), freshBlob(60)];
      const asked = [b.message, otherSize, a.message, b.message, here.message, a.message, otherSize];
      const [answer] = await collect(clients.cas.negotiateBlobs(sequence([{ blobDigests: asked }])));
      expect(answer?.missingBlobDigests).toMatchObject([b.message, otherSize, a.message].map(wireDigest));
    });

    it('has the empty blob', async () => {
      const empty = { sizeBytes: 0n, blake3: emptyDigest.hash };
      const [answer] = await collect(clients.cas.negotiateBlobs(sequence([{ blobDigests: [empty] }])));
      expect(answer?.missingBlobDigests).toEqual([]);
    });

    it('refuses a malformed digest', async () => {
      const short = { sizeBytes: 1n, blake3: new Uint8Array(31) };
      await expectCode(Code.InvalidArgument, collect(clients.cas.negotiateBlobs(sequence([{ blobDigests: [short] }]))));
    });
  });

  describe('GetTransportDetails', () => {
    it('tells the address that was reached, a token and how many transfers serve best', async () => {
      const details = await clients.cas.getTransportDetails({ supportedProtocols: [Protocol.grpc] });
      expect(details.serverAddr?.ip?.ipAddr).toEqual({ case: 'v4', value: 0x7f00_0001 });
      expect(details.serverAddr?.port).toBe(Number(new URL(baseUrl()).port));
      expect(details.authToken).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(details.recommendedConcurrency).toBeGreaterThan(0);
    });

    it('refuses when no protocol of ours is supported', async () => {
      await expectCode(Code.FailedPrecondition, clients.cas.getTransportDetails({ supportedProtocols: [] }));
    });
  });

  describe('Upload and Download', () => {
    it.each([0, 9, 65_535, 65_536, 65_537, 1_048_577, 3_500_000])('carry %i bytes', async (size) => {
      const blob = freshBlob(size);
      const { committedSize } = await clients.transport.upload(uploadMessages(blob));
      expect(committedSize).toBe(BigInt(size));
      expect((await downloaded(blob)).equals(blob.bytes)).toBe(true);
    });

    const size = 300_000;
    it.each([
      { name: 'absent', range: undefined, want: [0, size] },
      { name: 'empty message', range: { start: 0n }, want: [0, size] },
      { name: 'without length', range: { start: 299_990n }, want: [299_990, size] },
      { name: 'inside', range: { start: 65_530n, length: 12n }, want: [65_530, 65_542] },
      { name: 'all', range: { start: 0n, length: BigInt(size) }, want: [0, size] },
      { name: 'of length 0', range: { start: 5n, length: 0n }, want: [5, 5] },
      { name: 'from the end', range: { start: BigInt(size) }, want: [size, size] },
    ])('range $name', async ({ range, want }) => {
      const blob = await stored(freshBlob(size));
      expect((await downloaded(blob, range)).equals(blob.bytes.subarray(want[0], want[1]))).toBe(true);
    });

    it.each([
      { name: 'start beyond the end', range: { start: 101n } },
      { name: 'length beyond the end', range: { start: 90n, length: 11n } },
      { name: 'an end beyond 64 bits', range: { start: 1n, length: (1n << 64n) - 1n } },
      { name: 'a start beyond 53 bits', range: { start: (1n << 64n) - 1n } },
    ])('Download refuses $name', async ({ range }) => {
      await expectCode(Code.InvalidArgument, downloaded(await stored(freshBlob(100)), range));
    });

    it('Download does not find unknown blobs, nor known ones of another size', async () => {
      const blob = await stored(freshBlob(100));
      await expectCode(Code.NotFound, downloaded(freshBlob(10)));
      await expectCode(Code.NotFound, downloaded({ ...blob, message: { ...blob.message, sizeBytes: 99n } }));
    });

    it('Download refuses malformed digests', async () => {
      const blob = freshBlob(8);
      await expectCode(Code.InvalidArgument, collect(clients.transport.download({})));
      await expectCode(Code.InvalidArgument, collect(clients.transport.download({ metadata: {} })));
      for (const message of [
        { sizeBytes: 1n, blake3: new Uint8Array(33) },
        { sizeBytes: 1n << 60n, blake3: new Uint8Array(32) },
      ]) {
        await expectCode(Code.InvalidArgument, downloaded({ ...blob, message }));
      }
    });

    const wrong = freshBlob(1000);
    it.each([
      { name: 'no message', messages: [], code: Code.FailedPrecondition },
      { name: 'a chunk first', messages: [chunkMessage(wrong.bytes)], code: Code.FailedPrecondition },
      { name: 'no digest', messages: [metadataMessage(undefined)], code: Code.InvalidArgument },
      {
        name: 'a malformed digest',
        messages: [metadataMessage({ sizeBytes: 1n, blake3: new Uint8Array(1) })],
        code: Code.InvalidArgument,
      },
      {
        name: 'a second metadata',
        messages: [metadataMessage(wrong.message), metadataMessage(wrong.message)],
        code: Code.InvalidArgument,
      },
      {
        name: 'an empty payload',
        messages: [metadataMessage(wrong.message), { payload: { case: undefined } } as const],
        code: Code.InvalidArgument,
      },
      {
        name: 'other bytes',
        messages: [metadataMessage(wrong.message), chunkMessage(new Uint8Array(1000))],
        code: Code.InvalidArgument,
      },
      {
        name: 'too few bytes',
        messages: [metadataMessage(wrong.message), chunkMessage(wrong.bytes.subarray(1))],
        code: Code.InvalidArgument,
      },
      {
        name: 'too many bytes',
        messages: [metadataMessage(wrong.message), chunkMessage(wrong.bytes), chunkMessage(new Uint8Array(1))],
        code: Code.InvalidArgument,
      },
      {
        name: 'a range that is not the whole',
        messages: [metadataMessage(wrong.message, { start: 0n, length: 999n }), chunkMessage(wrong.bytes)],
        code: Code.InvalidArgument,
      },
      {
        name: 'a range that starts inside',
        messages: [metadataMessage(wrong.message, { start: 1n }), chunkMessage(wrong.bytes)],
        code: Code.InvalidArgument,
      },
    ])('Upload of $name is refused and stores nothing', async ({ messages, code }) => {
      await expectCode(code, clients.transport.upload(sequence(messages)));
      expect(await missing(wrong)).toHaveLength(1);
    });

    it('Upload takes the whole blob as a range, and chunks of no bytes', async () => {
      const blob = freshBlob(100);
      const messages = [
        metadataMessage(blob.message, { start: 0n, length: 100n }),
        chunkMessage(new Uint8Array(0)),
        chunkMessage(blob.bytes),
        chunkMessage(new Uint8Array(0)),
      ];
      expect((await clients.transport.upload(sequence(messages))).committedSize).toBe(100n);
      expect(await missing(blob)).toEqual([]);
    });

    it('Upload of a known hash with another size is refused', async () => {
      const blob = await stored(freshBlob(100));
      const messages = [metadataMessage({ ...blob.message, sizeBytes: 101n }), chunkMessage(blob.bytes)];
      await expectCode(Code.InvalidArgument, clients.transport.upload(sequence(messages)));
    });

    it('Upload of a stored blob is answered before its chunks; the empty blob succeeds again', async () => {
      const blob = await stored(freshBlob(3_000_000));
      await expectCode(Code.AlreadyExists, clients.transport.upload(uploadMessages(blob)));
      const empty = namedBlob(new Uint8Array(0));
      for (let i = 0; i < 2; i++) {
        expect((await clients.transport.upload(uploadMessages(empty))).committedSize).toBe(0n);
      }
      // The connection is still good.
      expect(await missing(blob)).toEqual([]);
    });

    it('two uploads of one blob at once both succeed, or the later is told that it exists', async () => {
      const blob = freshBlob(500_000);
      const outcomes = await Promise.allSettled([1, 2].map(() => clients.transport.upload(uploadMessages(blob))));
      expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(ConnectError.from(outcome.reason).code).toBe(Code.AlreadyExists);
      }
      expect((await downloaded(blob)).equals(blob.bytes)).toBe(true);
    });
  });

  describe('BlobService', () => {
    it('FindMissing names the missing in request order, each once', async () => {
      const here = await stored(freshBlob(100));
      const [a, b] = [freshBlob(50), freshBlob(60)];
      const otherSize = { ...here.message, sizeBytes: 7n };
      const asked = [b.message, here.message, a.message, b.message, otherSize];
      const answer = await clients.blobs.findMissing({ digests: asked });
      expect(answer.missing).toMatchObject([b.message, a.message, otherSize].map(wireDigest));
      const short = { sizeBytes: 1n, blake3: new Uint8Array(5) };
      await expectCode(Code.InvalidArgument, clients.blobs.findMissing({ digests: [short] }));
    });

    it('BatchWrite gives each item its status; a present blob succeeds', async () => {
      const [a, b, c] = [freshBlob(100), freshBlob(0), freshBlob(70_000)];
      const old = await stored(freshBlob(10));
      const { items } = await clients.blobs.batchWrite({
        items: [
          { digest: a.message, data: a.bytes },
          { digest: b.message, data: b.bytes },
          { digest: a.message, data: new Uint8Array(100) },
          { digest: c.message, data: c.bytes.subarray(1) },
          { data: a.bytes },
          { digest: { sizeBytes: 3n, blake3: new Uint8Array(3) }, data: new Uint8Array(3) },
          { digest: c.message, data: c.bytes },
          { digest: old.message, data: old.bytes },
          { digest: c.message, data: c.bytes },
        ],
      });
      expect(items.map(({ status, existed }) => [status?.code, existed])).toEqual([
        [0, false],
        [0, true],
        [Code.InvalidArgument, false],
        [Code.InvalidArgument, false],
        [Code.InvalidArgument, false],
        [Code.InvalidArgument, false],
        [0, false],
        [0, true],
        [0, false],
      ]);
      expect(items.map(({ digest }) => digest?.sizeBytes)).toEqual([
        100n,
        0n,
        100n,
        70_000n,
        undefined,
        3n,
        70_000n,
        10n,
        70_000n,
      ]);
      expect(items[0]?.status?.message).toBe('');
      expect(items[2]?.status?.message).not.toBe('');
      expect((await downloaded(a)).equals(a.bytes)).toBe(true);
      expect((await downloaded(c)).equals(c.bytes)).toBe(true);
    });

    it('BatchRead gives each item its status, in order', async () => {
      const [a, b, big] = await Promise.all([freshBlob(100), freshBlob(1_200_000), freshBlob(10)].map(stored));
      const gone = freshBlob(10);
      const { items } = await clients.blobs.batchRead({
        digests: [
          b!.message,
          gone.message,
          { sizeBytes: 1n, blake3: new Uint8Array(1) },
          a!.message,
          { ...big!.message, sizeBytes: 11n },
          { sizeBytes: 0n, blake3: emptyDigest.hash },
          a!.message,
        ],
      });
      expect(items.map(({ status }) => status?.code)).toEqual([
        0,
        Code.NotFound,
        Code.InvalidArgument,
        0,
        Code.NotFound,
        0,
        0,
      ]);
      expect(Buffer.from(items[0]!.data).equals(b!.bytes)).toBe(true);
      expect(Buffer.from(items[6]!.data).equals(a!.bytes)).toBe(true);
      expect(items[1]!.data).toHaveLength(0);
      expect(items.map(({ digest }) => digest?.sizeBytes)).toEqual([1_200_000n, 10n, 1n, 100n, 11n, 0n, 100n]);
    });

    it('BatchRead keeps to the size of an answer', async () => {
      const blobs = await Promise.all([1, 2, 3].map(() => stored(freshBlob(1_000_000))));
      const small = await stored(freshBlob(100));
      const large = await stored(freshBlob(limits.answerBytesMax));
      const { items } = await clients.blobs.batchRead({
        digests: [large, ...blobs, ...blobs, small].map(({ message }) => message),
      });
      const full = Code.ResourceExhausted;
      expect(items.map(({ status }) => status?.code)).toEqual(
        face.isJson ? [full, 0, 0, full, full, full, full, 0] : [full, 0, 0, 0, full, full, full, 0],
      );
    });

    it('Stat tells sizes of hashes, in order', async () => {
      const blob = await stored(freshBlob(1234));
      const hashes = [blob.digest.hash, freshBlob(10).digest.hash, emptyDigest.hash];
      const { items } = await clients.blobs.stat({ hashes, withLocalPath: true });
      expect(items.map(({ sizeBytes }) => sizeBytes)).toEqual([1234n, undefined, 0n]);
      expect(items.map(({ hash }) => Buffer.from(hash))).toEqual(hashes.map((hash) => Buffer.from(hash)));
      await expectCode(Code.InvalidArgument, clients.blobs.stat({ hashes: [new Uint8Array(31)] }));
    });

    it('List pages through all blobs in order of hash', async () => {
      const mine = await Promise.all([1, 2, 3].map(() => stored(freshBlob(20))));
      const listed: string[] = [];
      let pageToken = '';
      do {
        const page = await clients.blobs.list({ pageSize: 7, pageToken });
        expect(page.digests.length === 7 || page.nextPageToken === '').toBe(true);
        expect(page.totalCount).toBeGreaterThanOrEqual(3n);
        listed.push(...page.digests.map(({ blake3 }) => Buffer.from(blake3).toString('hex')));
        pageToken = page.nextPageToken;
      } while (pageToken !== '');
      expect(listed).toEqual([...new Set(listed)].sort());
      for (const { digest } of mine) expect(listed).toContain(Buffer.from(digest.hash).toString('hex'));
      expect(listed).not.toContain(Buffer.from(emptyDigest.hash).toString('hex'));
      const all = await clients.blobs.list({ pageSize: listed.length });
      expect(all.digests).toHaveLength(listed.length);
      expect(all.nextPageToken).toBe('');
    });

    it('List refuses negative sizes and tokens that are not its own', async () => {
      await expectCode(Code.InvalidArgument, clients.blobs.list({ pageSize: -1 }));
      await expectCode(Code.InvalidArgument, clients.blobs.list({ pageToken: 'next' }));
    });

    it('Delete tells what was there; a deleted blob is missing', async () => {
      const blob = await stored(freshBlob(77));
      const hashes = [freshBlob(9).digest.hash, blob.digest.hash];
      expect((await clients.blobs.delete({ hashes })).deleted).toEqual([false, true]);
      expect((await clients.blobs.delete({ hashes })).deleted).toEqual([false, false]);
      expect(await missing(blob)).toHaveLength(1);
      await expectCode(Code.NotFound, downloaded(blob));
      await expectCode(Code.InvalidArgument, clients.blobs.delete({ hashes: [new Uint8Array(0)] }));
      await clients.transport.upload(uploadMessages(blob));
      expect((await downloaded(blob)).equals(blob.bytes)).toBe(true);
    });
  });

  describe('Health', () => {
    it('serves, as a whole and by service', async () => {
      for (const service of ['', BlobService.typeName, Transport.typeName]) {
        expect((await clients.health.check({ service })).status).toBe(HealthCheckResponse_ServingStatus.SERVING);
      }
      await expectCode(Code.NotFound, clients.health.check({ service: 'cairn.v1.NoService' }));
      const { statuses } = await clients.health.list({});
      expect(statuses['']?.status).toBe(HealthCheckResponse_ServingStatus.SERVING);
      expect(statuses[ContentAddressableStorage.typeName]?.status).toBe(HealthCheckResponse_ServingStatus.SERVING);
    });

    it.each([
      { service: '', want: HealthCheckResponse_ServingStatus.SERVING },
      { service: 'cairn.v1.NoService', want: HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN },
    ])('Watch of "$service" begins with its status', async ({ service, want }) => {
      const abort = new AbortController();
      const statuses: HealthCheckResponse_ServingStatus[] = [];
      try {
        for await (const { status } of clients.health.watch({ service }, { signal: abort.signal })) {
          statuses.push(status);
          abort.abort();
        }
      } catch (error) {
        expect(ConnectError.from(error).code).toBe(Code.Canceled);
      }
      expect(statuses).toEqual([want]);
    });
  });

  describe.runIf(face.supportsBidi)('reflection', () => {
    it('lists services and finds the files of symbols, in v1 and v1alpha alike', async () => {
      const requests = [
        { case: 'listServices', value: '' },
        { case: 'fileContainingSymbol', value: 'zako.v1.transport.Transport.Download' },
        { case: 'fileByFilename', value: 'no/such.proto' },
      ] as const;
      const ask = sequence(requests.map((messageRequest) => ({ host: 'here', messageRequest })));
      const answers = await collect(clients.reflection.serverReflectionInfo(ask));
      expect(answers.map(({ messageResponse }) => messageResponse.case)).toEqual([
        'listServicesResponse',
        'fileDescriptorResponse',
        'errorResponse',
      ]);
      const again = sequence(requests.map((messageRequest) => ({ host: 'here', messageRequest })));
      const alpha = await collect(clients.reflectionAlpha.serverReflectionInfo(again));
      expect(alpha.map(({ messageResponse }) => messageResponse.case)).toEqual(
        answers.map(({ messageResponse }) => messageResponse.case),
      );
    });
  });
}

function wireDigest({ sizeBytes, blake3 }: TestBlob['message']): TestBlob['message'] {
  return { sizeBytes, blake3: new Uint8Array(blake3) };
}

async function expectCode(code: Code, call: Promise<unknown>): Promise<void> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConnectError);
  expect(Code[(error as ConnectError).code]).toBe(Code[code]);
}
