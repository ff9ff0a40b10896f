import { Code, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { afterEach, describe, expect, it } from 'vitest';
import { BlobService } from '../../../src/gen/cairn/v1/blob_service_pb.js';
import { ContentAddressableStorage } from '../../../src/gen/zako/v1/cas/cas_pb.js';
import { Protocol } from '../../../src/gen/zako/v1/net/net_pb.js';
import { Transport } from '../../../src/gen/zako/v1/transport/transport_pb.js';
import { collect, freshBlob, uploadMessages } from '../../conformance/wire-blobs.js';
import { basic, testAccounts } from '../../support/accounts.js';
import { type GivenParts, startRpcServer } from './rpc-server.js';

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function setUp(transportTokens: 'optional' | 'required', given: GivenParts = {}) {
  const server = await startRpcServer({ transportTokens, ...given });
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
  const token = async (headers: Record<string, string> = {}) => {
    const cas = createClient(ContentAddressableStorage, overHttp1);
    return (await cas.getTransportDetails({ supportedProtocols: [Protocol.grpc] }, { headers })).authToken;
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

describe.each([true, false])('where there are accounts, with the lane: %s', (withLane) => {
  const as = (name: string) => ({ authorization: basic(name) });

  async function setUpAccounts(transportTokens: 'optional' | 'required') {
    const test = await testAccounts();
    await test.add('root', 'admin');
    await test.add('rob', 'reader');
    const all = await setUp(transportTokens, { withLane, gate: test.accounts.gate });
    cleanUps.push(() => test.accounts.close());
    const upload = (over: ReturnType<typeof createGrpcTransport>, headers: Record<string, string>) =>
      createClient(Transport, over).upload(uploadMessages(freshBlob(10)), { headers });
    return { ...all, test, upload };
  }

  it.each(['optional', 'required'] as const)('a token, %s, moves blobs as the account it was given to', async (use) => {
    const { connection, download, upload, token, overHttp1 } = await setUpAccounts(use);
    const over = connection();
    for (const headers of [
      { authorization: `Bearer ${await token(as('rob'))}` },
      { 'x-cairn-transport-token': (await token(as('rob'))).toUpperCase() },
    ]) {
      for (let i = 0; i < 3; i++) await download(over, headers);
      await expect(upload(over, headers)).rejects.toMatchObject({ code: Code.PermissionDenied });
      // It belongs to that connection alone.
      await expect(download(connection(), headers)).rejects.toMatchObject(refused);
    }
    const once = { authorization: `Bearer ${await token(as('root'))}` };
    await upload(overHttp1, once);
    await expect(upload(overHttp1, once)).rejects.toMatchObject(refused);
  });

  it('it is good for nothing when its account is gone, or another is named beside it', async () => {
    const { connection, download, token, test } = await setUpAccounts('optional');
    const over = connection();
    const headers = { 'x-cairn-transport-token': await token(as('rob')) };
    await download(over, headers);
    await expect(download(over, { ...headers, authorization: basic('rob', 'wrong horse') })).rejects.toMatchObject(
      refused,
    );
    await test.accounts.book.remove('rob');
    await expect(download(over, headers)).rejects.toMatchObject(refused);
  });

  it('tokens of nobody are not given, and strangers are no tokens', async () => {
    const { connection, download, token } = await setUpAccounts('optional');
    await expect(token()).rejects.toMatchObject(refused);
    await expect(download(connection(), { authorization: `Bearer ${crypto.randomUUID()}` })).rejects.toMatchObject(
      refused,
    );
    await expect(download(connection())).rejects.toMatchObject(refused);
    await download(connection(), as('rob'));
  });
});
