import { Code, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { afterEach, describe, expect, it } from 'vitest';
import { BlobService } from '../../../src/gen/cairn/v1/blob_service_pb.js';
import { ContentAddressableStorage } from '../../../src/gen/zako/v1/cas/cas_pb.js';
import { Protocol } from '../../../src/gen/zako/v1/net/net_pb.js';
import { Transport } from '../../../src/gen/zako/v1/transport/transport_pb.js';
import { collect, freshBlob } from '../../conformance/wire-blobs.js';
import { startRpcServer } from './rpc-server.js';

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function setUp(transportTokens: 'optional' | 'required') {
  const server = await startRpcServer({ transportTokens });
  cleanUps.push(() => server.stop());
  const { baseUrl } = server;
  const blob = freshBlob(100);
  await server.parts.store.write(blob.bytes);
  const connection = () => {
    const sessionManager = new Http2SessionManager(baseUrl);
    cleanUps.push(() => sessionManager.abort());
    return createGrpcTransport({ baseUrl, sessionManager });
  };
  const overHttp1 = createConnectTransport({ baseUrl, httpVersion: '1.1' });
  const token = async () => {
    const cas = createClient(ContentAddressableStorage, overHttp1);
    return (await cas.getTransportDetails({ supportedProtocols: [Protocol.grpc] })).authToken;
  };
  const download = (over: ReturnType<typeof createGrpcTransport>, headers: Record<string, string> = {}) =>
    collect(createClient(Transport, over).download({ metadata: { digest: blob.message } }, { headers }));
  return { server, blob, connection, overHttp1, token, download };
}

const refused = { code: Code.Unauthenticated };

describe('required transport tokens', () => {
  it('refuse calls without one, or with a foreign one', async () => {
    const { connection, download } = await setUp('required');
    const over = connection();
    await expect(download(over)).rejects.toMatchObject(refused);
    for (const token of [crypto.randomUUID(), 'secret', '']) {
      await expect(download(over, { authorization: `Bearer ${token}` })).rejects.toMatchObject(refused);
      await expect(download(over, { 'x-cairn-transport-token': token })).rejects.toMatchObject(refused);
    }
  });

  it('belong to the first HTTP/2 connection that presents them', async () => {
    const { connection, download, token, overHttp1 } = await setUp('required');
    const [mine, other] = [connection(), connection()];
    const headers = { authorization: `Bearer ${await token()}` };
    for (let i = 0; i < 3; i++) await download(mine, headers);
    await expect(download(other, headers)).rejects.toMatchObject(refused);
    await expect(download(overHttp1, headers)).rejects.toMatchObject(refused);
  });

  it('belong to one call over HTTP/1.1', async () => {
    const { download, token, overHttp1 } = await setUp('required');
    const headers = { authorization: `Bearer ${await token()}` };
    await download(overHttp1, headers);
    await expect(download(overHttp1, headers)).rejects.toMatchObject(refused);
  });

  it('may stand beside the credentials of an account', async () => {
    const { connection, download, token } = await setUp('required');
    await download(connection(), { authorization: 'Bearer account', 'x-cairn-transport-token': await token() });
  });

  it('guard nothing but Transport', async () => {
    const { overHttp1, blob } = await setUp('required');
    const blobs = createClient(BlobService, overHttp1);
    expect((await blobs.findMissing({ digests: [blob.message] })).missing).toEqual([]);
  });
});

describe('optional transport tokens', () => {
  it('are ignored and counted when unknown or spent', async () => {
    const { server, overHttp1, download, token } = await setUp('optional');
    await download(overHttp1);
    await download(overHttp1, { authorization: 'Bearer account' });
    expect(server.parts.tokens.ignoredCount).toBe(0);
    const good = await token();
    await download(overHttp1, { authorization: `Bearer ${good}` });
    expect(server.parts.tokens.ignoredCount).toBe(0);
    await download(overHttp1, { authorization: `Bearer ${good}` });
    await download(overHttp1, { authorization: `Bearer ${crypto.randomUUID()}` });
    expect(server.parts.tokens.ignoredCount).toBe(2);
  });
});
