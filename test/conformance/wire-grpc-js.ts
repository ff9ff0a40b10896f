// The zako methods from a stock client of another implementation, which knows the .proto files alone.

import { fileURLToPath } from 'node:url';
import { credentials, loadPackageDefinition, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { load } from '@grpc/proto-loader';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freshBlob } from './wire-blobs.js';

interface Stream {
  write(message: object): boolean;
  end(): void;
  on(event: string, listener: (value: never) => void): this;
}

type StockClient = Record<string, (...parameters: never[]) => Stream>;

type StockClientClass = new (address: string, credential: ReturnType<typeof credentials.createInsecure>) => StockClient;

const protoDirectory = fileURLToPath(new URL('../../proto', import.meta.url));

export function grpcJsSuite(baseUrl: () => string): void {
  let cas: StockClient;
  let transport: StockClient;
  beforeAll(async () => {
    const definition = await load(['zako/v1/cas/cas.proto', 'zako/v1/transport/transport.proto'], {
      includeDirs: [protoDirectory],
      longs: String,
      defaults: true,
    });
    const packages = loadPackageDefinition(definition) as unknown as {
      zako: {
        v1: { cas: { ContentAddressableStorage: StockClientClass }; transport: { Transport: StockClientClass } };
      };
    };
    const { host } = new URL(baseUrl());
    cas = new packages.zako.v1.cas.ContentAddressableStorage(host, credentials.createInsecure());
    transport = new packages.zako.v1.transport.Transport(host, credentials.createInsecure());
  });
  afterAll(() => {
    cas.close!();
    transport.close!();
  });

  function upload(messages: readonly object[], metadata = new Metadata()): Promise<{ committedSize: string }> {
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, answer: { committedSize: string }) =>
        error === null ? resolve(answer) : reject(error);
      const stream = call(transport, 'Upload', metadata, done);
      for (const message of messages) stream.write(message);
      stream.end();
    });
  }

  async function answers<T>(stream: Stream): Promise<T[]> {
    return new Promise((resolve, reject) => {
      const received: T[] = [];
      stream.on('data', (answer: T) => void received.push(answer));
      stream.on('error', reject);
      stream.on('end', () => resolve(received));
    });
  }

  it('negotiates, uploads and downloads', async () => {
    const blob = freshBlob(1_500_000);
    const digest = { sizeBytes: blob.bytes.length, blake3: blob.digest.hash };
    const ask = async () => {
      const stream = call(cas, 'NegotiateBlobs');
      stream.write({ blobDigests: [digest] });
      stream.write({ blobDigests: [] });
      stream.end();
      const received = await answers<{ missingBlobDigests: object[] }>(stream);
      return received.map(({ missingBlobDigests }) => missingBlobDigests.length);
    };
    expect(await ask()).toEqual([1, 0]);
    const details = await new Promise<{ serverAddr: { ip: { v4: number } }; authToken: string }>((resolve, reject) => {
      call(cas, 'GetTransportDetails', { supportedProtocols: [0] }, (error: ServiceError | null, answer: never) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
    expect(details.serverAddr.ip.v4).toBe(0x7f00_0001);
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${details.authToken}`);
    const chunks = [0, 500_000, 1_000_000].map((start) => ({ chunk: blob.bytes.subarray(start, start + 500_000) }));
    expect(await upload([{ metadata: { digest } }, ...chunks], metadata)).toEqual({ committedSize: '1500000' });
    expect(await ask()).toEqual([0, 0]);
    const range = { start: 400_000, length: 700_000 };
    const received = await answers<{ data: Buffer }>(call(transport, 'Download', { metadata: { digest, range } }));
    expect(Buffer.concat(received.map(({ data }) => data)).equals(blob.bytes.subarray(400_000, 1_100_000))).toBe(true);
  });

  it('gets an answer to an upload that need not go on', async () => {
    const blob = freshBlob(3_000_000);
    const messages = [
      { metadata: { digest: { sizeBytes: blob.bytes.length, blake3: blob.digest.hash } } },
      { chunk: blob.bytes },
    ];
    await upload(messages);
    await expect(upload(messages)).rejects.toMatchObject({ code: status.ALREADY_EXISTS });
    await expect(upload([messages[1]!])).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
  });

  it('gets the codes of the contract', async () => {
    const { digest } = freshBlob(10);
    const wire = { sizeBytes: 10, blake3: digest.hash };
    const download = (metadata: object) => answers(call(transport, 'Download', { metadata }));
    await expect(download({ digest: wire })).rejects.toMatchObject({ code: status.NOT_FOUND });
    await expect(download({ digest: { ...wire, blake3: Buffer.alloc(3) } })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
  });

  /** Its clients are made from files at run time, so their methods have no types. */
  function call(client: StockClient, method: string, ...parameters: unknown[]): Stream {
    return client[method]!(...(parameters as never[]));
  }
}
