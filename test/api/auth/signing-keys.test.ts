// The signing key of two nodes over one metadata, exchanged by one of them.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mintToken } from '../../../src/api/auth/mint-token.js';
import { everybody } from '../../../src/api/auth/principal.js';
import { CairnError, errorCode } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import { prefixRange, textKey } from '../../../src/meta/keys.js';
import type { KeyRange, KvStore, WatchBatch, WatchOptions } from '../../../src/meta/kv.js';
import { password, type TestAccounts, testAccounts } from '../../support/accounts.js';

let test: TestAccounts;
let other: TestAccounts;

beforeEach(async () => {
  test = await testAccounts();
  other = await testAccounts({ kv: test.kv, clock: test.clock });
  await test.add('root', 'admin');
});
afterEach(() => Promise.all([test, other].map(({ accounts }) => accounts.close())));

const hour = 3_600_000;

async function lastingOf({ accounts, clock }: TestAccounts): Promise<string> {
  const wish = { name: 'root', label: '', operations: [], seconds: 0 };
  return (await mintToken(accounts, clock, everybody, wish)).text;
}

const lasting = () => lastingOf(test);

/** As an object of its own, whose methods can be exchanged. */
function wrapped(kv: KvStore): KvStore {
  return {
    get: (...asked) => kv.get(...asked),
    range: (...asked) => kv.range(...asked),
    count: (...asked) => kv.count(...asked),
    txn: (txn) => kv.txn(txn),
    watch: (...asked) => kv.watch(...asked),
    compact: (revision) => kv.compact(revision),
    status: () => kv.status(),
    close: () => kv.close(),
  };
}

async function* silent(_range: KeyRange, { signal }: WatchOptions): AsyncGenerator<WatchBatch, never> {
  await new Promise((resolve) => signal?.addEventListener('abort', resolve));
  throw new CairnError('canceled', 'the watch was canceled');
}

async function outcome(on: TestAccounts, token: string): Promise<string> {
  const caller = { authorization: `Bearer ${token}`, address: '', certificateName: undefined };
  try {
    return (await on.accounts.authenticator.authenticate(caller)).name;
  } catch (error) {
    return errorCode(error);
  }
}

const count = (prefix: string) => test.kv.count(prefixRange(textKey(prefix)));

describe('a new signing key', () => {
  it('ends all logins and tokens, and leaves no record of them', async () => {
    const token = await lasting();
    const { refreshToken } = await test.signIn.login('root', password, '');
    await test.accounts.rotateKey(0);
    expect(await outcome(test, token)).toBe('unauthenticated');
    expect(await other.signIn.refresh(refreshToken).catch(errorCode)).toBe('unauthenticated');
    expect([await count('auth/login/'), await count('auth/token/')]).toEqual([0, 0]);
    // Everybody uses the new one.
    const next = await lasting();
    expect(await outcome(test, next)).toBe('root');
    await expect.poll(() => outcome(other, next)).toBe('root');
    const { accessToken } = await other.signIn.login('root', password, '');
    expect(await outcome(test, accessToken)).toBe('root');
  });

  it('is used at once by who made it, before any change is heard of', async () => {
    // Changes are told to nobody here.
    const deaf = await testAccounts({ kv: { ...wrapped(test.kv), watch: silent }, clock: test.clock });
    const before = await lastingOf(deaf);
    expect(await outcome(deaf, before)).toBe('root');
    await deaf.accounts.rotateKey(hour / 1000);
    const after = await lastingOf(deaf);
    test.clock.pass(hour);
    // The one was signed with the key that has ended by now, the other with the new one.
    expect(await outcome(deaf, before)).toBe('unauthenticated');
    expect(await outcome(deaf, after)).toBe('root');
    const third = await testAccounts({ kv: test.kv, clock: test.clock });
    expect(await outcome(third, after)).toBe('root');
    await Promise.all([deaf, third].map(({ accounts }) => accounts.close()));
  });

  it('leaves what was signed before good for a while, logins beyond it', async () => {
    const token = await lasting();
    const { refreshToken } = await test.signIn.login('root', password, '');
    await test.accounts.rotateKey(hour / 1000);
    expect([await count('auth/login/'), await count('auth/token/')]).toEqual([1, 1]);
    test.clock.pass(hour - 1000);
    for (const on of [test, other]) expect(await outcome(on, token)).toBe('root');
    const { accessToken, refreshToken: next } = await test.signIn.refresh(refreshToken);
    test.clock.pass(1000);
    // Also where it was remembered a moment ago.
    for (const on of [test, other]) await expect.poll(() => outcome(on, token)).toBe('unauthenticated');
    expect(await outcome(test, accessToken)).toBe('root');
    await test.signIn.refresh(next);
  });

  it('may come several times, and without an overlap ends them all', async () => {
    const tokens: string[] = [];
    for (let i = 0; i < limits.signingKeysEarlierCountMax; i++) {
      tokens.push(await lasting());
      await test.accounts.rotateKey(hour / 1000);
    }
    for (const token of tokens) expect(await outcome(test, token)).toBe('root');
    expect(await test.accounts.rotateKey(hour / 1000).catch(errorCode)).toBe('no_space');
    expect(await test.accounts.rotateKey(limits.signingKeyOverlapSecondsMax + 1).catch(errorCode)).toBe(
      'invalid_argument',
    );
    expect(await test.accounts.rotateKey(-1).catch(errorCode)).toBe('invalid_argument');
    await test.accounts.rotateKey(0);
    for (const token of tokens) expect(await outcome(test, token)).toBe('unauthenticated');
    await test.accounts.rotateKey(1);
  });

  it('is the same for nodes that start later', async () => {
    const token = await lasting();
    await test.accounts.rotateKey(hour / 1000);
    const third = await testAccounts({ kv: test.kv, clock: test.clock });
    expect(await outcome(third, token)).toBe('root');
    expect(await outcome(third, await lasting())).toBe('root');
    await third.accounts.close();
  });
});
