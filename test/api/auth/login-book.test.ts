import { expect, it } from 'vitest';
import { LoginBook } from '../../../src/api/auth/login-book.js';
import { systemRandom } from '../../../src/base/random.js';
import type { KvStore } from '../../../src/meta/kv.js';
import { testAccounts } from '../../support/accounts.js';

it('two who come with one token, and read the login before either has changed it, end it', async () => {
  const { accounts, kv, clock, add } = await testAccounts();
  await add('root', 'admin');
  let reading = 0;
  let release = () => {};
  const bothHaveRead = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow: KvStore = {
    ...kv,
    txn: (txn) => kv.txn(txn),
    async get(key, options) {
      const item = await kv.get(key, options);
      if (++reading === 2) release();
      await bothHaveRead;
      return item;
    },
  };
  const changed: string[] = [];
  const book = new LoginBook({ kv: slow, clock, random: systemRandom, onChange: (name) => changed.push(name) });
  const { id } = await accounts.logins.begin((await accounts.book.get('root'))!);
  const both = await Promise.allSettled([book.advance('root', id, 0), book.advance('root', id, 0)]);
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(await accounts.logins.get('root', id)).toBeUndefined();
  expect(changed).toEqual(['root', 'root']);
  await accounts.close();
});

it('a login begins only with the account as it was read', async () => {
  const { accounts, add } = await testAccounts();
  await add('root', 'admin');
  const account = (await accounts.book.get('root'))!;
  await accounts.book.setPassword('root', 'another hash');
  await expect(accounts.logins.begin(account)).rejects.toMatchObject({ code: 'conflict' });
  await accounts.close();
});
