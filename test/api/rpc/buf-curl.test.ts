// The commands of the README: `buf curl` without schema files, which asks the server for them.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshBlob } from '../../conformance/wire-blobs.js';
import { type RpcServer, startRpcServer } from './rpc-server.js';

const buf = fileURLToPath(new URL('../../../node_modules/.bin/buf', import.meta.url));

describe.each(['grpc', 'grpcweb', 'connect'])('buf curl over %s', (protocol) => {
  let server: RpcServer;
  beforeAll(async () => {
    server = await startRpcServer();
  });
  afterAll(() => server.stop());

  async function curl(...parameters: string[]): Promise<string> {
    const always = ['curl', '--http2-prior-knowledge', '--protocol', protocol];
    return (await promisify(execFile)(buf, [...always, ...parameters])).stdout;
  }

  it('lists services and methods', async () => {
    expect((await curl('--list-services', server.baseUrl)).trim().split('\n')).toEqual([
      'cairn.v1.AccountService',
      'cairn.v1.BlobService',
      'cairn.v1.MemberService',
      'cairn.v1.MetaService',
      'cairn.v1.TreeService',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'zako.v1.cas.ContentAddressableStorage',
      'zako.v1.transport.Transport',
    ]);
    expect(await curl('--list-methods', server.baseUrl)).toContain('zako.v1.transport.Transport/Download');
  });

  it('calls NegotiateBlobs and Download', async () => {
    const blob = freshBlob(1000);
    await server.parts.store.write(blob.bytes);
    const json = (hash: Uint8Array) => ({ sizeBytes: '1000', blake3: Buffer.from(hash).toString('base64') });
    const gone = json(freshBlob(1000).digest.hash);
    const here = json(blob.digest.hash);
    const negotiated = await curl(
      ...['-d', JSON.stringify({ blobDigests: [here, gone] })],
      `${server.baseUrl}/zako.v1.cas.ContentAddressableStorage/NegotiateBlobs`,
    );
    expect(JSON.parse(negotiated)).toEqual({ missingBlobDigests: [gone] });
    const downloaded = await curl(
      ...['-d', JSON.stringify({ metadata: { digest: here } })],
      `${server.baseUrl}/zako.v1.transport.Transport/Download`,
    );
    expect(Buffer.from(JSON.parse(downloaded).data, 'base64').equals(blob.bytes)).toBe(true);
  });

  it.each(['grpc-v1', 'grpc-v1alpha'])('reads the schema by reflection of %s', async (version) => {
    const listed = await curl('--reflect-protocol', version, '--list-services', server.baseUrl);
    expect(listed).toContain('cairn.v1.BlobService');
  });
});
