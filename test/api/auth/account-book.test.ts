import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Role } from '../../../src/api/auth/principal.js';
import { limits } from '../../../src/base/limits.js';
import { everyKey } from '../../../src/meta/keys.js';
import { password, type TestAccounts, testAccounts } from '../../support/accounts.js';

let test: TestAccounts;
beforeEach(async () => {
  test = await testAccounts();
});
afterEach(() => test.accounts.close());

const names = async () => (await test.accounts.book.list({ limit: 100 })).map(({ name }) => name);
const coded = (code: string) => expect.objectContaining({ code });

describe('accounts', () => {
  it('are added, listed in order, and removed', async () => {
    await test.add('root', 'admin');
    await test.add('bob', 'reader', 'reader');
    await test.add('ann@example.com', 'writer');
    expect(await names()).toEqual(['ann@example.com', 'bob', 'root']);
    expect(await test.accounts.book.get('bob')).toMatchObject({ name: 'bob', roles: ['reader'] });
    expect((await test.accounts.book.list({ after: 'ann@example.com', limit: 1 })).map(({ name }) => name)).toEqual([
      'bob',
    ]);
    await test.accounts.book.remove('bob');
    expect(await names()).toEqual(['ann@example.com', 'root']);
    expect(await test.accounts.book.get('bob')).toBeUndefined();
  });

  it.each<{ name: string; roles: Role[]; code: string }>([
    { name: 'root', roles: ['reader'], code: 'already_exists' },
    { name: '', roles: ['reader'], code: 'invalid_argument' },
    { name: 'Ann', roles: ['reader'], code: 'invalid_argument' },
    { name: 'a/b', roles: ['reader'], code: 'invalid_argument' },
    { name: 'a:b', roles: ['reader'], code: 'invalid_argument' },
    { name: '.hidden', roles: ['reader'], code: 'invalid_argument' },
    { name: 'x'.repeat(65), roles: ['reader'], code: 'invalid_argument' },
    { name: 'none', roles: [], code: 'invalid_argument' },
  ])('refuses to add $name as $roles', async ({ name, roles, code }) => {
    await test.add('root', 'admin');
    await expect(test.add(name, ...roles)).rejects.toMatchObject({ code });
    expect(await names()).toEqual(['root']);
  });

  it('begin with an admin, and keep one', async () => {
    await expect(test.add('bob', 'writer')).rejects.toEqual(coded('failed_precondition'));
    await test.add('root', 'admin');
    await test.add('bob', 'writer');
    await expect(test.accounts.book.remove('root')).rejects.toEqual(coded('failed_precondition'));
    await expect(test.accounts.book.remove('root', { evenTheLast: true })).rejects.toEqual(
      coded('failed_precondition'),
    );
    await test.add('second', 'admin');
    await test.accounts.book.remove('root');
    await test.accounts.book.remove('bob');
    await expect(test.accounts.book.remove('second')).rejects.toEqual(coded('failed_precondition'));
    await test.accounts.book.remove('second', { evenTheLast: true });
    expect(await names()).toEqual([]);
  });

  it('keep an admin when two remove one another', async () => {
    for (let i = 0; i < 10; i++) {
      for (const name of ['a', 'b']) if (!(await names()).includes(name)) await test.add(name, 'admin');
      await Promise.allSettled(['a', 'b'].map((name) => test.accounts.book.remove(name)));
      expect(await names()).toHaveLength(1);
    }
  });

  it('change their roles, but the last admin stays one', async () => {
    const { book } = test.accounts;
    await test.add('root', 'admin');
    await test.add('ann', 'writer');
    expect(await book.setRoles('ann', ['reader', 'reader'])).toMatchObject({ name: 'ann', roles: ['reader'] });
    await expect(book.setRoles('root', ['writer'])).rejects.toEqual(coded('failed_precondition'));
    await expect(book.setRoles('ann', [])).rejects.toEqual(coded('invalid_argument'));
    await expect(book.setRoles('nobody', ['reader'])).rejects.toEqual(coded('not_found'));
    expect(await book.get('root')).toMatchObject({ roles: ['admin'] });
    await book.setRoles('ann', ['admin', 'node']);
    expect(await book.setRoles('root', ['reader'])).toMatchObject({ roles: ['reader'] });
    // The password is still the same.
    await test.accounts.checkPassword('ann', password, '');
  });

  it('keep an admin when two take it from one another', async () => {
    for (const name of ['a', 'b']) await test.add(name, 'admin');
    for (let i = 0; i < 10; i++) {
      await Promise.allSettled(['a', 'b'].map((name) => test.accounts.book.setRoles(name, ['reader'])));
      const admins = (await test.accounts.book.list({ limit: 9 })).filter(({ roles }) => roles.includes('admin'));
      expect(admins).toHaveLength(1);
      for (const name of ['a', 'b']) await test.accounts.book.setRoles(name, ['admin']);
    }
  });

  it('are not there to be removed or changed when they are not there', async () => {
    await expect(test.accounts.book.remove('ann')).rejects.toEqual(coded('not_found'));
    await expect(test.accounts.book.setPassword('ann', 'hash')).rejects.toEqual(coded('not_found'));
    await expect(test.accounts.book.revokeToken('ann', 'id')).rejects.toEqual(coded('not_found'));
  });

  it('take logins and tokens along', async () => {
    await test.add('root', 'admin');
    const { items: before } = await test.kv.range(everyKey);
    await test.add('ann', 'writer');
    await test.signIn.login('ann', password, '');
    await test.accounts.book.createToken('ann', { label: 'ci', operations: ['read'], expiresAt: undefined });
    expect((await test.kv.range(everyKey)).items.length).toBe(before.length + 3);
    await test.accounts.book.remove('ann');
    const { items } = await test.kv.range(everyKey);
    expect(items.map(({ key }) => Buffer.from(key).toString())).toEqual(
      before.map(({ key }) => Buffer.from(key).toString()),
    );
  });

  it('leave no password and no token in the metadata', async () => {
    await test.add('root', 'admin');
    const { accessToken, refreshToken } = await test.signIn.login('root', password, '');
    await test.accounts.book.createToken('root', { label: 'ci', operations: ['read'], expiresAt: undefined });
    const { items } = await test.kv.range(everyKey);
    const stored = items.map(({ value }) => Buffer.from(value).toString()).join('\n');
    for (const secret of [password, accessToken, refreshToken]) expect(stored).not.toContain(secret);
  });
});

describe('lasting tokens', () => {
  beforeEach(() => test.add('root', 'admin'));

  it('are made, listed and revoked', async () => {
    const { book } = test.accounts;
    const first = await book.createToken('root', { label: 'ci', operations: ['read', 'write'], expiresAt: undefined });
    const second = await book.createToken('root', { label: '', operations: [], expiresAt: test.clock.now() + 1000 });
    expect(await book.token('root', first.id)).toMatchObject({ label: 'ci', operations: ['read', 'write'] });
    expect((await book.tokens('root')).map(({ id }) => id).sort()).toEqual([first.id, second.id].sort());
    await book.revokeToken('root', first.id);
    expect(await book.tokens('root')).toMatchObject([{ id: second.id, expiresAt: test.clock.now() + 1000 }]);
    await expect(book.revokeToken('root', first.id)).rejects.toEqual(coded('not_found'));
  });

  it('are bounded in number', async () => {
    const { book } = test.accounts;
    const make = () => book.createToken('root', { label: '', operations: [], expiresAt: undefined });
    for (let i = 0; i < limits.tokensPerAccountCountMax; i++) await make();
    await expect(make()).rejects.toEqual(coded('no_space'));
  });
});
