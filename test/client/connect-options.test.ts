// A client that makes itself known: by token, password or certificate, in plain text and by TLS, for small blobs and large.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { type CairnClient, connect } from '../../src/client/client.js';
import { authorizationOf, type ConnectOptions } from '../../src/client/connect-options.js';
import { password } from '../support/accounts.js';
import { useAuthority } from '../support/certificates.js';
import { type Served, serve } from '../support/served.js';

const authority = useAuthority();
let plain: Served;
let secure: Served;
const tokens = new Map<Served, string>();
beforeAll(async () => {
  const tls = { ...authority.server, clientCa: undefined };
  plain = await serve(new MemoryStore(), { transportTokens: 'required' });
  secure = await serve(new MemoryStore(), { tls });
  for (const served of [plain, secure]) {
    await using(served, {}, async (client) => {
      await (await client.accounts()).addAccount({
        name: 'root',
        roles: ['admin'],
        password,
        email: 'root@example.com',
      });
    });
    await using(served, { user: 'root', password }, async (client) => {
      tokens.set(served, (await (await client.accounts()).createToken({ seconds: 60 })).token);
    });
  }
});
afterAll(async () => {
  for (const { server } of [plain, secure]) await server.close();
});

it('credentials in the address are refused, and not repeated', () => {
  for (const credentials of ['root:secret', 'root', ':secret']) {
    const address = plain.url.replace('//', `//${credentials}@`);
    expect(() => connect(address)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(() => connect(address)).not.toThrow(/secret/);
  }
});

async function using<T>(
  served: Served,
  options: ConnectOptions,
  work: (client: CairnClient) => Promise<T>,
): Promise<T> {
  const client = connect(served.url, served === secure ? { ca: authority.trusted, ...options } : options);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

describe.each(['plain', 'secure'] as const)('%s', (name) => {
  const served = () => (name === 'plain' ? plain : secure);

  it.each([
    ['a token', () => ({ token: tokens.get(served())! })],
    ['a password', () => ({ user: 'root', password })],
  ])('moves blobs with %s', async (_, options) => {
    await using(served(), options(), async (client) => {
      for (const size of [10, 300_000]) {
        const bytes = Buffer.alloc(size, Math.floor(size / 7));
        const { digest } = await client.put(bytes);
        expect(await client.missing([digest])).toEqual([]);
        const pieces: Uint8Array[] = [];
        for await (const piece of client.get(digest)) pieces.push(piece);
        expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
      }
    });
  });

  it.each<[string, ConnectOptions]>([
    ['nothing', {}],
    ['a wrong password', { user: 'root', password: 'wrong horse' }],
    ['a token of others', { token: 'x.y.z' }],
  ])('is refused with %s', async (_, options) => {
    await using(served(), options, async (client) => {
      const codes = [client.put(new Uint8Array(1)), client.put(new Uint8Array(300_000)), client.missing([])].map(
        (call) =>
          call.then(
            () => 'ok',
            (error: { code: string }) => error.code,
          ),
      );
      expect((await Promise.all(codes)).slice(0, 2)).toEqual(['unauthenticated', 'unauthenticated']);
    });
  });
});

it('does not believe a server of an unknown authority', async () => {
  const client = connect(secure.url, { user: 'root', password });
  await expect(client.put(new Uint8Array(1))).rejects.toMatchObject({ code: 'unavailable' });
  await expect(client.put(new Uint8Array(300_000))).rejects.toMatchObject({ code: 'unavailable' });
  client.close();
});

it('comes by its certificate, on every way', async () => {
  const clientCa = authority.ca;
  const served = await serve(new MemoryStore(), { tls: { ...authority.issue('localhost'), clientCa } });
  const identity = (name: string) => {
    const { cert, key } = authority.issue(name);
    return { ca: authority.trusted, cert: readFileSync(cert), key: readFileSync(key) };
  };
  const [root, stranger] = [identity('root'), identity('stranger')].map((options) => connect(served.url, options));
  const accounts = await root!.accounts();
  await accounts.addAccount({ name: 'root', roles: ['admin'] });
  for (const size of [10, 300_000]) {
    await root!.put(new Uint8Array(size));
    await expect(stranger!.put(new Uint8Array(size))).rejects.toMatchObject({ code: 'unauthenticated' });
  }
  root!.close();
  stranger!.close();
  await served.server.close();
});

it('accounts and tokens come page by page, and go', async () => {
  await using(plain, { user: 'root', password }, async (client) => {
    const accounts = await client.accounts();
    for (let i = 0; i < 101; i++)
      await accounts.addAccount({ name: `user${String(i).padStart(3, '0')}`, roles: ['reader'] });
    const names: string[] = [];
    for await (const { name, roles, email } of accounts.accounts()) {
      names.push(name);
      if (name === 'root') expect([roles, email]).toEqual([['admin'], 'root@example.com']);
    }
    expect(names).toHaveLength(102);
    const made = await accounts.createToken({ label: 'ci', operations: ['read'] });
    const listed = [];
    for await (const token of accounts.tokens(undefined)) listed.push(token);
    expect(listed.find(({ id }) => id === made.id)).toEqual({
      id: made.id,
      label: 'ci',
      operations: ['read'],
      createdAt: expect.any(Number),
      expiresAt: undefined,
    });
    await accounts.revokeToken(undefined, made.id);
    await accounts.removeAccount('user000');
    await accounts.setPassword('root', 'new password');
  });
  await using(plain, { user: 'root', password: 'new password' }, async (client) => {
    await (await client.accounts()).setPassword(undefined, password, 'new password');
  });
});

it.each<[ConnectOptions, string | undefined]>([
  [{}, undefined],
  [{ token: 'x' }, 'Bearer x'],
  [{ user: 'ann', password: 'päss:word' }, 'Basic YW5uOnDDpHNzOndvcmQ='],
])('presents %j', (options, want) => {
  expect(authorizationOf(options)).toBe(want);
});

it.each<[string, ConnectOptions]>([
  ['no password', { user: 'ann' }],
  ['a colon in the name', { user: 'a:b', password }],
])('refuses %s', (_, options) => {
  expect(() => connect('http://127.0.0.1:1', options)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
});
