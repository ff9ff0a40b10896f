import { expect, it } from 'vitest';
import type { Caller } from '../../../src/api/auth/credentials.js';
import { TokenHolders } from '../../../src/api/rpc/token-holders.js';
import { limits } from '../../../src/base/limits.js';

const caller = (authorization: string | undefined): Caller => ({
  authorization,
  address: '',
  certificateName: undefined,
});

it('knows whose a token is, until a session owns it and then through the session alone', () => {
  const holders = new TokenHolders();
  const [mine, other] = [{}, {}];
  holders.hold('abc', caller('Bearer x'));
  holders.hold('def', caller(undefined));
  expect(holders.holder('def', mine)).toBeUndefined();
  for (let i = 0; i < 3; i++) expect(holders.holder('ABC', mine)).toMatchObject({ authorization: 'Bearer x' });
  expect(holders.holder('abc', other)).toBeUndefined();
  expect(holders.holder('abc', undefined)).toBeUndefined();
});

it('knows a bounded number, the latest', () => {
  const holders = new TokenHolders();
  for (let i = 0; i <= limits.tokenHoldersCountMax; i++) holders.hold(String(i), caller('Bearer x'));
  expect(holders.holder('0', undefined)).toBeUndefined();
  expect(holders.holder('1', undefined)).toBeDefined();
});
