import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../../src/api/auth/credentials.js';
import { passwordCheck } from '../../../src/api/auth/password-check.js';
import { CairnError } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import { password, type TestAccounts, testAccounts } from '../../support/accounts.js';

let test: TestAccounts;
beforeEach(async () => {
  test = await testAccounts({ registrationRole: 'reader' });
  await test.add('root', 'admin');
});
afterEach(() => test.accounts.close());

const bearer = (token: string): Caller => ({
  authorization: `Bearer ${token}`,
  address: '',
  certificateName: undefined,
});
const admit = async (token: string) => (await test.accounts.gate.admit(bearer(token), 'read')).name;
const refused = { code: 'unauthenticated' };

describe('a login', () => {
  it('hands out an access token that is good for a while', async () => {
    const { accessToken, expiresIn } = await test.signIn.login('root', password, '');
    expect(expiresIn).toBe(limits.accessTokenSeconds);
    expect(await admit(accessToken)).toBe('root');
    test.clock.pass(expiresIn * 1000 - 1);
    expect(await admit(accessToken)).toBe('root');
    test.clock.pass(1);
    await expect(admit(accessToken)).rejects.toMatchObject(refused);
  });

  it.each([
    ['root', 'wrong horse'],
    ['root', ''],
    ['nobody', password],
    ['ROOT', password],
    ['auth/key', password],
    ['', ''],
    ['root', 'x'.repeat(limits.passwordCharactersMax + 1)],
  ])('is refused in the same words: %j', async (name, secret) => {
    const error: Error = await test.signIn.login(name, secret, '192.0.2.1').catch((reason) => reason);
    expect(error).toMatchObject(refused);
    expect(error.message).toBe('wrong name or password');
  });

  it('is held up after too many failures, whether the account is there or not', async () => {
    for (const name of ['root', 'nobody']) {
      const codes: string[] = [];
      for (let i = 0; i <= limits.failedLoginsByNameCountMax; i++) {
        codes.push(await test.signIn.login(name, 'guess', `10.0.0.${i}`).catch(({ code }) => code));
      }
      expect(codes.slice(-2)).toEqual(['unauthenticated', 'overloaded']);
      await expect(test.signIn.login(name, password, '10.9.9.9')).rejects.toMatchObject({ code: 'overloaded' });
    }
    test.clock.pass(limits.failedLoginByNameMilliseconds);
    await test.signIn.login('root', password, '10.9.9.9');
  });

  it('is not held against anybody when the server could not look', async () => {
    const checkPassword = passwordCheck({
      book: { get: () => Promise.reject(new CairnError('unavailable', 'the metadata is away')) },
      hasher: test.accounts.hasher,
      failures: test.accounts.failures,
    });
    for (let i = 0; i <= limits.failedLoginsByAddressCountMax; i++) {
      await expect(checkPassword('root', password, '192.0.2.1')).rejects.toMatchObject({ code: 'unavailable' });
    }
    await test.signIn.login('root', password, '192.0.2.1');
  });

  it('is one of so many: the oldest ends', async () => {
    const first = await test.signIn.login('root', password, '');
    for (let i = 1; i < limits.loginsPerAccountCountMax; i++) {
      test.clock.pass(1);
      await test.signIn.login('root', password, '');
    }
    expect(await admit(first.accessToken)).toBe('root');
    test.clock.pass(1);
    const last = await test.signIn.login('root', password, '');
    await expect(admit(first.accessToken)).rejects.toMatchObject(refused);
    expect(await admit(last.accessToken)).toBe('root');
  });
});

describe('a refresh token', () => {
  it('is taken for the next, which goes on', async () => {
    let { refreshToken } = await test.signIn.login('root', password, '');
    for (let i = 0; i < 5; i++) {
      test.clock.pass((limits.refreshTokenSeconds - 1) * 1000);
      const next = await test.signIn.refresh(refreshToken);
      expect(await admit(next.accessToken)).toBe('root');
      ({ refreshToken } = next);
    }
  });

  it('that was used before ends the whole login, and no other', async () => {
    const login = await test.signIn.login('root', password, '');
    const other = await test.signIn.login('root', password, '');
    const next = await test.signIn.refresh(login.refreshToken);
    await expect(test.signIn.refresh(login.refreshToken)).rejects.toMatchObject(refused);
    await expect(test.signIn.refresh(next.refreshToken)).rejects.toMatchObject(refused);
    for (const { accessToken } of [login, next]) await expect(admit(accessToken)).rejects.toMatchObject(refused);
    expect(await admit(other.accessToken)).toBe('root');
  });

  it('that comes twice at once ends the login', async () => {
    const { refreshToken } = await test.signIn.login('root', password, '');
    const both = await Promise.allSettled([test.signIn.refresh(refreshToken), test.signIn.refresh(refreshToken)]);
    const good = both.filter((each) => each.status === 'fulfilled');
    expect(good).toHaveLength(1);
    await expect(test.signIn.refresh(good[0]!.value.refreshToken)).rejects.toMatchObject(refused);
  });

  it('dies unused', async () => {
    const { refreshToken } = await test.signIn.login('root', password, '');
    test.clock.pass(limits.refreshTokenSeconds * 1000);
    await expect(test.signIn.refresh(refreshToken)).rejects.toMatchObject(refused);
  });

  it('is no access token, nor the other way round', async () => {
    const { accessToken, refreshToken } = await test.signIn.login('root', password, '');
    await expect(admit(refreshToken)).rejects.toMatchObject(refused);
    await expect(test.signIn.refresh(accessToken)).rejects.toMatchObject(refused);
  });
});

describe('a logout', () => {
  it('ends the login of a refresh token', async () => {
    const { accessToken, refreshToken } = await test.signIn.login('root', password, '');
    expect(await admit(accessToken)).toBe('root');
    await test.signIn.logout(refreshToken);
    await expect(admit(accessToken)).rejects.toMatchObject(refused);
    await expect(test.signIn.refresh(refreshToken)).rejects.toMatchObject(refused);
    await test.signIn.logout(refreshToken);
  });

  it('ends the login that a call came by, but no password', async () => {
    const { accessToken } = await test.signIn.login('root', password, '');
    await test.signIn.logoutOf(await test.accounts.gate.admit(bearer(accessToken), 'account'));
    await expect(admit(accessToken)).rejects.toMatchObject(refused);
    const byPassword = { name: 'root', roles: [], operations: new Set<never>(), session: undefined };
    await expect(test.signIn.logoutOf(byPassword)).rejects.toMatchObject({ code: 'failed_precondition' });
  });
});

describe('a registration', () => {
  const ann = { name: 'ann', password, email: 'ann@example.com', address: '192.0.2.1' };

  it('makes an account of the role there is for it', async () => {
    const { accessToken, account } = await test.signIn.register(ann);
    expect(account).toMatchObject({ name: 'ann', email: 'ann@example.com', roles: ['reader'] });
    expect(await admit(accessToken)).toBe('ann');
    await expect(test.signIn.register(ann)).rejects.toMatchObject({ code: 'already_exists' });
  });

  it.each([
    ['a short password', { ...ann, password: 'short' }],
    ['a bad name', { ...ann, name: 'Ann' }],
    ['a long address', { ...ann, email: 'x'.repeat(limits.emailCharactersMax + 1) }],
  ])('is refused for %s', async (_, registration) => {
    await expect(test.signIn.register(registration)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('is held up when one address makes many', async () => {
    const codes: unknown[] = [];
    for (let i = 0; i <= limits.failedLoginsByAddressCountMax; i++) {
      codes.push(await test.signIn.register({ ...ann, name: `u${i}` }).catch(({ code }) => code));
    }
    expect(codes.filter((code) => code === 'overloaded')).toHaveLength(1);
  });

  it('is refused where it is not allowed, and where there is no admin yet', async () => {
    const closed = await testAccounts();
    await closed.add('root', 'admin');
    const empty = await testAccounts({ registrationRole: 'reader' });
    for (const { signIn, accounts } of [closed, empty]) {
      await expect(signIn.register(ann)).rejects.toMatchObject({ code: 'failed_precondition' });
      await accounts.close();
    }
  });
});
