// Accounts over the wire: every face, with the lane and without.

import { request as http1Request } from 'node:http';
import { connect as http2Connect } from 'node:http2';
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../src/base/limits.js';
import { AccountService, Operation, Role } from '../../../src/gen/cairn/v1/account_service_pb.js';
import { BlobService } from '../../../src/gen/cairn/v1/blob_service_pb.js';
import { Health } from '../../../src/gen/grpc/health/v1/health_pb.js';
import { ContentAddressableStorage } from '../../../src/gen/zako/v1/cas/cas_pb.js';
import { Transport } from '../../../src/gen/zako/v1/transport/transport_pb.js';
import { collect, freshBlob, type TestBlob, uploadMessages } from '../../conformance/wire-blobs.js';
import { faces } from '../../conformance/wire-faces.js';
import { basic, password, type TestAccounts, testAccounts } from '../../support/accounts.js';
import { type RpcServer, startRpcServer } from './rpc-server.js';

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'ok',
    (error: unknown) => Code[ConnectError.from(error).code],
  );

async function* questions(digest: TestBlob['message']) {
  yield { blobDigests: [digest] };
}

async function serveAccounts(withLane: boolean) {
  const test = await testAccounts({ registrationRole: 'reader' });
  const { accounts, signIn, clock } = test;
  const server = await startRpcServer({ withLane, gate: accounts.gate, accounts: { accounts, signIn } });
  return { test, server, clock };
}

describe.each([true, false])('with the lane: %s', (withLane) => {
  let test: TestAccounts;
  let server: RpcServer;
  beforeAll(async () => {
    ({ test, server } = await serveAccounts(withLane));
    await test.add('root', 'admin');
    await test.add('wren', 'writer');
    await test.add('rob', 'reader');
  });
  afterAll(async () => {
    await server.stop();
    await test.accounts.close();
  });

  describe.each(faces)('$name', (face) => {
    let connection: ReturnType<(typeof faces)[number]['connect']>;
    let as: (name: string | undefined) => { headers: { authorization?: string } };
    let cas: Client<typeof ContentAddressableStorage>;
    let transport: Client<typeof Transport>;
    let blobs: Client<typeof BlobService>;
    let accounts: Client<typeof AccountService>;
    beforeAll(() => {
      connection = face.connect(server.baseUrl);
      as = (name) => ({ headers: name === undefined ? {} : { authorization: basic(name) } });
      cas = createClient(ContentAddressableStorage, connection.transport);
      transport = createClient(Transport, connection.transport);
      blobs = createClient(BlobService, connection.transport);
      accounts = createClient(AccountService, connection.transport);
    });
    afterAll(() => connection.close());

    it('each method lets in whom it should', async () => {
      const blob = freshBlob(100);
      const digests = [blob.message];
      const health = createClient(Health, connection.transport);
      const want = (nobody: string, rob: string, wren: string, root: string) => ({ nobody, rob, wren, root });
      const unauthenticated = 'Unauthenticated';
      const denied = 'PermissionDenied';
      const table = {
        health: [want('ok', 'ok', 'ok', 'ok'), () => health.check({}, as(undefined))],
        findMissing: [want(unauthenticated, 'ok', 'ok', 'ok'), (who) => blobs.findMissing({ digests }, as(who))],
        negotiate: [
          want(unauthenticated, 'ok', 'ok', 'ok'),
          (who) => collect(cas.negotiateBlobs(questions(blob.message), as(who))),
        ],
        upload: [
          want(unauthenticated, denied, 'ok', 'AlreadyExists'),
          (who) => transport.upload(uploadMessages(blob), as(who)),
        ],
        download: [
          want(unauthenticated, 'ok', 'ok', 'ok'),
          (who) => collect(transport.download({ metadata: { digest: blob.message } }, as(who))),
        ],
        batchWrite: [
          want(unauthenticated, denied, 'ok', 'ok'),
          (who) => blobs.batchWrite({ items: [{ digest: blob.message, data: blob.bytes }] }, as(who)),
        ],
        details: [
          want(unauthenticated, 'ok', 'ok', 'ok'),
          (who) => cas.getTransportDetails({ supportedProtocols: [0] }, as(who)),
        ],
        delete: [want(unauthenticated, denied, 'ok', 'ok'), (who) => blobs.delete({ hashes: [] }, as(who))],
        getUser: [want(unauthenticated, 'ok', 'ok', 'ok'), (who) => accounts.getUser({}, as(who))],
        listUsers: [want(unauthenticated, denied, denied, 'ok'), (who) => accounts.listUsers({}, as(who))],
        createToken: [
          want(unauthenticated, 'ok', 'ok', 'ok'),
          (who) => accounts.createToken({ expiresIn: 1n }, as(who)),
        ],
      } satisfies Record<string, [ReturnType<typeof want>, (who: string | undefined) => Promise<unknown>]>;
      for (const [name, [wanted, call]] of Object.entries(table)) {
        if (name === 'negotiate' && !face.supportsBidi) continue;
        const got: Record<string, string> = {};
        for (const who of ['nobody', 'rob', 'wren', 'root'] as const) {
          got[who] = await codeOf(call(who === 'nobody' ? undefined : who));
        }
        expect([name, got]).toEqual([name, wanted]);
      }
    });

    it('logs in, refreshes and logs out', async () => {
      const { user, accessToken, refreshToken, expiresIn } = await accounts.login({ username: 'rob', password });
      expect(user).toMatchObject({ username: 'rob', roles: [Role.READER] });
      expect(expiresIn).toBe(BigInt(limits.accessTokenSeconds));
      const with_ = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
      expect(await accounts.getUser({}, with_(accessToken))).toMatchObject({
        user: { username: 'rob' },
        operations: [Operation.READ],
      });
      const next = await accounts.refreshToken({ refreshToken });
      await accounts.logout({}, with_(next.accessToken));
      expect(await codeOf(accounts.getUser({}, with_(next.accessToken)))).toBe('Unauthenticated');
      expect(await codeOf(accounts.refreshToken({ refreshToken: next.refreshToken }))).toBe('Unauthenticated');
    });

    it('a token is revoked while the connection stays', async () => {
      const { accessToken, token } = await accounts.createToken({ operations: [Operation.READ] }, as('wren'));
      const headers = { authorization: `Bearer ${accessToken}` };
      expect(await codeOf(blobs.findMissing({ digests: [] }, { headers }))).toBe('ok');
      expect(await codeOf(blobs.delete({ hashes: [] }, { headers }))).toBe('PermissionDenied');
      await accounts.revokeToken({ id: token!.id }, as('wren'));
      expect(await codeOf(blobs.findMissing({ digests: [] }, { headers }))).toBe('Unauthenticated');
    });
  });

  const unread = [
    { name: 'unary', path: '/cairn.v1.BlobService/BatchWrite', contentType: 'application/json', status: 401 },
    {
      name: 'stream',
      path: '/zako.v1.transport.Transport/Upload',
      contentType: 'application/connect+proto',
      status: 200,
    },
    {
      name: 'gRPC-Web',
      path: '/zako.v1.transport.Transport/Upload',
      contentType: 'application/grpc-web+proto',
      status: 200,
    },
  ];
  it.each(unread)('answers $name over HTTP/1.1 before its body', async ({ path, contentType, status }) => {
    const answer = await new Promise<{ status: number; body: string }>((resolve, reject) => {
      const headers = { 'content-type': contentType, 'content-length': '1000' };
      const request = http1Request(server.baseUrl + path, { method: 'POST', headers, agent: false });
      request.on('error', reject);
      request.on('response', (response) => {
        let body = '';
        response.on('data', (piece) => {
          body += String(piece);
        });
        response.on('end', () => {
          request.destroy();
          resolve({ status: response.statusCode!, body });
        });
      });
      request.flushHeaders();
    });
    expect(answer.status).toBe(status);
    expect(answer.body).toMatch(/unauthenticated|grpc-status: 16/);
  });

  it.each([...unread, { ...unread[1]!, name: 'gRPC', contentType: 'application/grpc+proto' }])(
    'answers $name over HTTP/2 before its body',
    async ({ path, contentType, status }) => {
      const session = http2Connect(server.baseUrl);
      const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': contentType });
      let body = '';
      const got = await new Promise<Record<string, unknown>>((resolve, reject) => {
        let seen: Record<string, unknown> = {};
        stream.on('response', (headers) => {
          seen = { ...seen, ...headers };
        });
        stream.on('trailers', (trailers) => {
          seen = { ...seen, ...trailers };
        });
        stream.on('data', (piece) => {
          body += String(piece);
        });
        stream.on('error', reject);
        stream.on('end', () => resolve(seen));
      });
      session.destroy();
      expect(got[':status']).toBe(status);
      if (contentType === 'application/grpc+proto') expect(got['grpc-status']).toBe('16');
      else expect(body).toMatch(/unauthenticated|grpc-status: 16/);
    },
  );

  it('asks for no body of whom it does not let in, and of whom it lets in it does', async () => {
    const ask = (authorization: string) =>
      new Promise<{ status: number; continued: boolean }>((resolve, reject) => {
        const headers = { 'content-type': 'application/json', expect: '100-continue', authorization };
        const url = `${server.baseUrl}/cairn.v1.BlobService/FindMissing`;
        const request = http1Request(url, { method: 'POST', headers, agent: false });
        let continued = false;
        request.on('error', reject);
        request.on('continue', () => {
          continued = true;
          request.end('{}');
        });
        request.on('response', (response) => {
          response.resume();
          response.on('end', () => {
            request.destroy();
            resolve({ status: response.statusCode!, continued });
          });
        });
        request.flushHeaders();
      });
    expect(await ask(basic('rob', 'wrong horse'))).toEqual({ status: 401, continued: false });
    expect(await ask(basic('rob'))).toEqual({ status: 200, continued: true });
  });
});

describe('AccountService', () => {
  let test: TestAccounts;
  let server: RpcServer;
  let accounts: Client<typeof AccountService>;
  let connection: ReturnType<(typeof faces)[number]['connect']>;
  beforeEach(async () => {
    ({ test, server } = await serveAccounts(true));
    connection = faces[0]!.connect(server.baseUrl);
    accounts = createClient(AccountService, connection.transport);
  });
  afterEach(async () => {
    connection.close();
    await server.stop();
    await test.accounts.close();
  });
  const as = (name: string, secret = password) => ({ headers: { authorization: basic(name, secret) } });

  it('lets anybody make the first account, an admin, and nobody the next', async () => {
    expect(await codeOf(accounts.createUser({ username: 'ann', password, roles: [Role.READER] }))).toBe(
      'FailedPrecondition',
    );
    await accounts.createUser({ username: 'root', password, roles: [Role.ADMIN] });
    expect(await codeOf(accounts.createUser({ username: 'eve', password, roles: [Role.ADMIN] }))).toBe(
      'Unauthenticated',
    );
    const { user } = await accounts.createUser({ username: 'ann', roles: [Role.READER], email: 'a@b' }, as('root'));
    expect(user).toMatchObject({ username: 'ann', email: 'a@b', createdAtMs: BigInt(test.clock.now()) });
    // Without a password none is right.
    expect(await codeOf(accounts.login({ username: 'ann', password: '' }))).toBe('Unauthenticated');
  });

  it('pages through accounts and tokens', async () => {
    await test.add('root', 'admin');
    for (let i = 0; i < 24; i++) await test.add(`user${String(i).padStart(2, '0')}`, 'reader');
    const first = await accounts.listUsers({}, as('root'));
    expect([first.users.length, first.totalCount]).toEqual([20, 25n]);
    const second = await accounts.listUsers({ pageToken: first.nextPageToken }, as('root'));
    expect(second.users.map(({ username }) => username)).toEqual(['user19', 'user20', 'user21', 'user22', 'user23']);
    expect(second.nextPageToken).toBe('');
    for (let i = 0; i < 3; i++) await accounts.createToken({ label: `t${i}` }, as('root'));
    const some = await accounts.listTokens({ pageSize: 2 }, as('root'));
    const rest = await accounts.listTokens({ pageSize: 2, pageToken: some.nextPageToken }, as('root'));
    expect([...some.tokens, ...rest.tokens].map(({ label }) => label).sort()).toEqual(['t0', 't1', 't2']);
    expect([some.totalCount, rest.nextPageToken]).toEqual([3n, '']);
    expect(await codeOf(accounts.listTokens({ pageToken: first.nextPageToken }, as('root')))).toBe('InvalidArgument');
  });

  it('lets everybody rule over their own, and admins over all', async () => {
    await test.add('root', 'admin');
    await test.add('ann', 'writer');
    await test.add('bob', 'reader');
    const { token } = await accounts.createToken({ label: 'mine' }, as('ann'));
    for (const call of [
      accounts.listTokens({ username: 'ann' }, as('bob')),
      accounts.revokeToken({ username: 'ann', id: token!.id }, as('bob')),
      accounts.createToken({ username: 'ann' }, as('bob')),
      accounts.setPassword({ username: 'ann', password }, as('bob')),
      accounts.setRoles({ username: 'ann', roles: [Role.READER] }, as('ann')),
      accounts.rotateSigningKey({ overlapSeconds: 60n }, as('ann')),
    ]) {
      expect(await codeOf(call)).toBe('PermissionDenied');
    }
    expect((await accounts.listTokens({ username: 'ann' }, as('root'))).tokens).toMatchObject([{ label: 'mine' }]);
    await accounts.revokeToken({ username: 'ann', id: token!.id }, as('root'));
    const changed = 'new password';
    expect(await codeOf(accounts.setPassword({ password: changed }, as('ann')))).toBe('Unauthenticated');
    await accounts.setPassword({ password: changed, oldPassword: password }, as('ann'));
    await accounts.setPassword({ username: 'bob', password: changed }, as('root'));
    for (const name of ['ann', 'bob']) await accounts.getUser({}, as(name, changed));
    expect(await codeOf(accounts.setPassword({ password: 'short' }, as('root')))).toBe('InvalidArgument');
    await accounts.deleteUser({ username: 'bob' }, as('root'));
    expect(await codeOf(accounts.getUser({}, as('bob', changed)))).toBe('Unauthenticated');
  });

  it('makes no token that may more than who makes it', async () => {
    await test.add('root', 'admin');
    await test.add('ann', 'reader');
    const write = { operations: [Operation.WRITE] };
    expect(await codeOf(accounts.createToken(write, as('ann')))).toBe('PermissionDenied');
    expect(await codeOf(accounts.createToken({ ...write, username: 'ann' }, as('root')))).toBe('PermissionDenied');
    const made = await accounts.createToken({ operations: [Operation.READ], expiresIn: 100_000_000n }, as('root'));
    const { accessToken } = made;
    // Nor for longer.
    for (const expiresIn of [0n, 200_000_000n]) {
      const { token } = await accounts.createToken(
        { expiresIn },
        { headers: { authorization: `Bearer ${accessToken}` } },
      );
      expect(token?.expiresAtMs).toBe(made.token?.expiresAtMs);
    }
    const headers = { authorization: `Bearer ${accessToken}` };
    expect(await codeOf(accounts.createToken(write, { headers }))).toBe('PermissionDenied');
    expect((await accounts.createToken({}, { headers })).token!.operations).toEqual([Operation.READ]);
    expect(await codeOf(accounts.createToken({ expiresIn: -1n }, as('root')))).toBe('InvalidArgument');
    expect(await codeOf(accounts.createToken({ operations: [77 as Operation] }, as('root')))).toBe('InvalidArgument');
  });

  it('speaks plain JSON', async () => {
    await test.add('root', 'admin');
    const call = async (method: string, body: object, headers = {}) => {
      const response = await fetch(`${server.baseUrl}/cairn.v1.AccountService/${method}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    const login = await call('Login', { username: 'root', password });
    expect(login.body).toEqual({
      user: { username: 'root', roles: ['ROLE_ADMIN'], createdAtMs: String(test.clock.now()) },
      accessToken: expect.any(String),
      refreshToken: expect.any(String),
      expiresIn: '900',
    });
    expect(await call('Login', { username: 'root', password: 'wrong horse' })).toEqual({
      status: 401,
      body: { code: 'unauthenticated', message: 'wrong name or password' },
    });
    const { body } = await call('Register', { username: 'new', password, email: 'n@example.com' });
    expect(body).toMatchObject({ user: { username: 'new', roles: ['ROLE_READER'] } });
    const refreshed = await call('RefreshToken', { refreshToken: login.body.refreshToken });
    expect(Object.keys(refreshed.body).sort()).toEqual(['accessToken', 'expiresIn', 'refreshToken']);
    expect(await call('Logout', { refreshToken: refreshed.body.refreshToken })).toEqual({ status: 200, body: {} });
  });

  it('tells who made a call', async () => {
    await test.add('root', 'admin');
    await accounts.getUser({}, as('root'));
    await codeOf(accounts.getUser({}, as('root', 'wrong horse')));
    await codeOf(createClient(Transport, connection.transport).upload(uploadMessages(freshBlob(9)), as('root')));
    await accounts.login({ username: 'root', password });
    await expect.poll(() => server.calls.map(({ account }) => account)).toEqual(['root', '', 'root', '']);
  });

  it('keeps secrets out of records and logs', async () => {
    await test.add('root', 'admin');
    const { accessToken, refreshToken } = await accounts.login({ username: 'root', password });
    await codeOf(accounts.getUser({}, { headers: { authorization: `Bearer ${accessToken}x` } }));
    await codeOf(accounts.refreshToken({ refreshToken: `${refreshToken}x` }));
    await codeOf(accounts.login({ username: 'root', password: 'wrong horse' }));
    const told = JSON.stringify([server.calls, server.errors]);
    for (const secret of [password, 'wrong horse', accessToken, refreshToken, basic('root')]) {
      expect(told).not.toContain(secret);
    }
  });
});
