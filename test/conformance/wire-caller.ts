// One client of the wire suites: every service over one face, and the few steps that most tests need.

import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, expect } from 'vitest';
import { BlobService } from '../../src/gen/cairn/v1/blob_service_pb.js';
import { TreeService } from '../../src/gen/cairn/v1/tree_service_pb.js';
import { Health } from '../../src/gen/grpc/health/v1/health_pb.js';
import { ServerReflection } from '../../src/gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as ServerReflectionAlpha } from '../../src/gen/grpc/reflection/v1alpha/reflection_pb.js';
import { ContentAddressableStorage } from '../../src/gen/zako/v1/cas/cas_pb.js';
import type { Digest as DigestMessage } from '../../src/gen/zako/v1/digest/digest_pb.js';
import { Transport } from '../../src/gen/zako/v1/transport/transport_pb.js';
import { collect, type TestBlob, uploadMessages } from './wire-blobs.js';
import type { Face } from './wire-faces.js';

export class WireCaller {
  readonly cas: Client<typeof ContentAddressableStorage>;
  readonly transport: Client<typeof Transport>;
  readonly blobs: Client<typeof BlobService>;
  readonly trees: Client<typeof TreeService>;
  readonly health: Client<typeof Health>;
  readonly reflection: Client<typeof ServerReflection>;
  readonly reflectionAlpha: Client<typeof ServerReflectionAlpha>;
  readonly close: () => void;

  constructor(
    face: Face,
    readonly baseUrl: string,
  ) {
    const { transport, close } = face.connect(baseUrl);
    this.close = close;
    this.cas = createClient(ContentAddressableStorage, transport);
    this.transport = createClient(Transport, transport);
    this.blobs = createClient(BlobService, transport);
    this.trees = createClient(TreeService, transport);
    this.health = createClient(Health, transport);
    this.reflection = createClient(ServerReflection, transport);
    this.reflectionAlpha = createClient(ServerReflectionAlpha, transport);
  }

  async stored(blob: TestBlob): Promise<TestBlob> {
    await this.transport.upload(uploadMessages(blob));
    return blob;
  }

  async downloaded({ message }: TestBlob, range?: { start: bigint; length?: bigint }): Promise<Buffer> {
    const messages = this.transport.download({ metadata: { digest: message, ...(range && { range }) } });
    return Buffer.concat((await collect(messages)).map(({ data }) => data));
  }

  async missing({ message }: TestBlob): Promise<DigestMessage[]> {
    return (await this.blobs.findMissing({ digests: [message] })).missing;
  }
}

/** A caller for the tests of the suite that is being described. */
export function useCaller(face: Face, baseUrl: () => string): () => WireCaller {
  let caller: WireCaller;
  beforeAll(() => {
    caller = new WireCaller(face, baseUrl());
  });
  afterAll(() => caller.close());
  return () => caller;
}

/** A digest as it comes back, for comparing. */
export function wireDigest({ sizeBytes, blake3 }: TestBlob['message']): TestBlob['message'] {
  return { sizeBytes, blake3: new Uint8Array(blake3) };
}

export async function expectCode(code: Code, call: Promise<unknown>): Promise<void> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConnectError);
  expect(Code[(error as ConnectError).code]).toBe(Code[code]);
}
