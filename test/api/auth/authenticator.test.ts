import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { signingKeyKey } from '../../../src/api/auth/account-records.js';
import type { Caller } from '../../../src/api/auth/credentials.js';
import type { Operation } from '../../../src/api/auth/principal.js';
import { limits } from '../../../src/base/limits.js';
import { basic, HeldClock, memoryKv, password, type TestAccounts, testAccounts } from '../../support/accounts.js';

let test: TestAccounts;
let other: TestAccounts;
beforeEach(async () => {
  const shared = { kv: await memoryKv(), clock: new HeldClock() };
  test = await testAccounts(shared);
  // Another node over the same metadata.
  other = await testAccounts(shared);
  await test.add('root', 'admin');
  await test.add('ann', 'writer');
});
afterEach(async () => {
  await test.accounts.close();
  await other.accounts.close();
});

const caller = (authorization: string | undefined, certificateName?: string): Caller => ({
  authorization,
  address: '192.0.2.1',
  certificateName,
});
const who = async (node: TestAccounts, authorization: string | undefined, certificateName?: string) =>
  (await node.accounts.authenticator.authenticate(caller(authorization, certificateName))).name;
const outcome = (node: TestAccounts, authorization: string) =>
  who(node, authorization).catch((error: { code: string }) => error.code);

async function lasting(
  name: string,
  operations: Operation[],
  expiresAt?: number,
): Promise<{ id: string; text: string }> {
  const { book, signed } = test.accounts;
  const { id } = await book.createToken(name, { label: '', operations, expiresAt });
  const text = await signed.sign({ kind: 'token', name, id, turn: 0, expiresAt: expiresAt && expiresAt / 1000 });
  return { id, text: `Bearer ${text}` };
}

describe('authenticate', () => {
  it('knows passwords, access tokens, lasting tokens and certificates', async () => {
    const { accessToken } = await test.signIn.login('ann', password, '');
    expect(await who(test, basic('ann'))).toBe('ann');
    expect(await who(test, `Bearer ${accessToken}`)).toBe('ann');
    expect(await who(test, (await lasting('ann', ['read'])).text)).toBe('ann');
    expect(await who(test, undefined, 'ann')).toBe('ann');
  });

  it.each([
    ['a wrong password', basic('ann', 'wrong horse')],
    ['an unknown name', basic('bob')],
    ['no credentials we know', 'Digest x'],
    ['a token of others', 'Bearer eyJhbGciOiJIUzI1NiJ9.e30.x'],
  ])('refuses %s', async (_, authorization) => {
    expect(await outcome(test, authorization)).toBe('unauthenticated');
  });

  it('refuses certificates of no account, and who presents nothing', async () => {
    await expect(who(test, undefined, 'bob')).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(who(test, undefined)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('does not fall back to a certificate when other credentials are wrong', async () => {
    await expect(who(test, basic('root', 'wrong horse'), 'ann')).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('answers at once from the second time on', async () => {
    await who(test, basic('ann'));
    expect(test.accounts.authenticator.authenticate(caller(basic('ann')))).not.toBeInstanceOf(Promise);
  });

  it('hashes a password once for all who ask at the same time', async () => {
    const most = limits.passwordHashesAtOnceCountMax + limits.passwordHashesWaitingCountMax;
    const asked = Array.from({ length: 3 * most }, () => who(test, basic('ann')));
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['ann']));
  });

  it('remembers a bounded number, the latest', async () => {
    const { authenticator } = test.accounts;
    const { text } = await lasting('ann', ['read']);
    // The same credentials, presented differently.
    const presented = (i: number) => caller(`Bearer${' '.repeat(i)}${text.slice(7)}`);
    const spellings = Math.floor(limits.credentialCharactersMax / 2);
    const more = (await lasting('ann', ['read'])).text;
    for (let i = 0; i < limits.credentialsRememberedCountMax; i++) {
      const authorization = i < spellings ? presented(i + 1) : caller(`${more}${' '.repeat(i - spellings)}`);
      await authenticator.authenticate(authorization);
    }
    expect(authenticator.authenticate(presented(1))).not.toBeInstanceOf(Promise);
    await authenticator.authenticate(presented(spellings + 1));
    expect(authenticator.authenticate(presented(2))).not.toBeInstanceOf(Promise);
    expect(authenticator.authenticate(presented(1))).toBeInstanceOf(Promise);
  });

  it('cuts a token down to its scope, and to what its account may still do', async () => {
    const { text } = await lasting('ann', ['read', 'admin']);
    const { operations } = await test.accounts.authenticator.authenticate(caller(text));
    expect([...operations]).toEqual(['read']);
  });

  it('ends tokens with their time', async () => {
    const { text } = await lasting('ann', ['read'], test.clock.now() + 10_000);
    expect(await outcome(test, text)).toBe('ann');
    test.clock.pass(10_000);
    expect(await outcome(test, text)).toBe('unauthenticated');
  });
});

describe('what is taken away is gone at once', () => {
  const cases: { name: string; authorization: () => Promise<string>; take: (credentials: string) => Promise<void> }[] =
    [
      {
        name: 'a revoked token',
        authorization: async () => (await lasting('ann', ['read'])).text,
        take: async () => {
          const [token] = await test.accounts.book.tokens('ann');
          await test.accounts.book.revokeToken('ann', token!.id);
        },
      },
      {
        name: 'a changed password',
        authorization: async () => basic('ann'),
        take: async () => test.accounts.book.setPassword('ann', await test.accounts.hasher.hash('new password')),
      },
      {
        name: 'a login after its password was changed',
        authorization: async () => `Bearer ${(await test.signIn.login('ann', password, '')).accessToken}`,
        take: async () => test.accounts.book.setPassword('ann', await test.accounts.hasher.hash('new password')),
      },
      {
        name: 'a token whose key was exchanged',
        authorization: async () => (await lasting('ann', ['read'])).text,
        take: () => test.accounts.rotateKey(0),
      },
      {
        name: 'a login whose key was taken away',
        authorization: async () => `Bearer ${(await test.signIn.login('ann', password, '')).accessToken}`,
        take: async (credentials) => {
          await test.kv.txn({ success: [{ kind: 'delete', range: { start: signingKeyKey } }] });
          await expect.poll(() => outcome(test, credentials)).toBe('unauthenticated');
        },
      },
      {
        name: 'a password of a removed account',
        authorization: async () => basic('ann'),
        take: () => test.accounts.book.remove('ann'),
      },
      {
        name: 'a token of a removed account that was made again',
        authorization: async () => (await lasting('ann', ['read'])).text,
        take: async () => {
          await test.accounts.book.remove('ann');
          await test.add('ann', 'writer');
        },
      },
    ];

  it.each(cases)('$name', async ({ authorization, take }) => {
    const credentials = await authorization();
    expect(await outcome(test, credentials)).toBe('ann');
    expect(await outcome(other, credentials)).toBe('ann');
    await take(credentials);
    expect(await outcome(test, credentials)).toBe('unauthenticated');
    // Another node hears of it.
    await expect.poll(() => outcome(other, credentials)).toBe('unauthenticated');
  });

  it('so are rights that a role no longer gives, and there are those that it gives now', async () => {
    const texts = [
      (await lasting('ann', ['read', 'write'])).text,
      `Bearer ${(await test.signIn.login('ann', password, '')).accessToken}`,
      basic('ann'),
    ];
    const rights = async (on: TestAccounts, text: string) => {
      return [...(await on.accounts.authenticator.authenticate(caller(text))).operations].join();
    };
    const all = (on: TestAccounts) => Promise.all(texts.map((text) => rights(on, text)));
    for (const on of [test, other])
      expect(await all(on)).toEqual(['read,write', ...Array(2).fill('read,write,delete')]);
    await test.accounts.book.setRoles('ann', ['reader']);
    expect(await all(test)).toEqual(['read', 'read', 'read']);
    await expect.poll(() => all(other)).toEqual(['read', 'read', 'read']);
    await test.accounts.book.setRoles('ann', ['writer']);
    expect(await all(test)).toEqual(['read,write', ...Array(2).fill('read,write,delete')]);
  });

  it('also when it was being looked up', async () => {
    const credentials = basic('ann');
    for (let i = 0; i < 20; i++) {
      const asked = outcome(test, credentials);
      const next = `password ${i}`;
      await Promise.all([asked, test.accounts.book.setPassword('ann', await test.accounts.hasher.hash(next))]);
      expect(await outcome(test, credentials)).toBe('unauthenticated');
      test.clock.pass(limits.failedLoginByNameMilliseconds);
      await test.accounts.book.setPassword('ann', await test.accounts.hasher.hash(password));
    }
  });
});

describe('without accounts', () => {
  it('the gate is open until the first is made, here or elsewhere', async () => {
    const shared = { kv: await memoryKv(), clock: new HeldClock() };
    const [here, there] = [await testAccounts(shared), await testAccounts(shared)];
    expect(await here.accounts.gate.admit(caller('nonsense'), 'admin')).toMatchObject({ name: '' });
    expect(here.accounts.exist()).toBe(false);
    await here.add('root', 'admin');
    expect(() => here.accounts.gate.admit(caller(undefined), 'read')).toThrow();
    await expect.poll(() => there.accounts.exist()).toBe(true);
    expect(await here.accounts.gate.admit(caller(undefined), 'public')).toMatchObject({ name: '', roles: [] });
    await here.accounts.close();
    await there.accounts.close();
  });
});
