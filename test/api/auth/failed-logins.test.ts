import { describe, expect, it } from 'vitest';
import { FailedLogins } from '../../../src/api/auth/failed-logins.js';
import { limits } from '../../../src/base/limits.js';
import { HeldClock } from '../../support/accounts.js';

const { failedLoginsByNameCountMax: byName, failedLoginsByAddressCountMax: byAddress } = limits;

function setUp() {
  const clock = new HeldClock();
  const failures = new FailedLogins(clock);
  const attempt = (name: string, address: string) => {
    try {
      return failures.attempt(name, address);
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  return { clock, attempt };
}

const overloaded = 'overloaded';

describe('FailedLogins', () => {
  it('closes a name to everybody after so many failures, and opens it again with time', () => {
    const { clock, attempt } = setUp();
    for (let i = 0; i < byName; i++) expect(attempt('ann', `10.0.${i}.1`)).not.toBe(overloaded);
    expect(attempt('ann', '10.1.0.1')).toBe(overloaded);
    expect(attempt('bob', '10.1.0.1')).not.toBe(overloaded);
    clock.pass(limits.failedLoginByNameMilliseconds - 1);
    expect(attempt('ann', '10.1.0.1')).toBe(overloaded);
    clock.pass(1);
    expect(attempt('ann', '10.1.0.1')).not.toBe(overloaded);
    expect(attempt('ann', '10.1.0.1')).toBe(overloaded);
    clock.pass(byName * limits.failedLoginByNameMilliseconds);
    for (let i = 0; i < byName; i++) expect(attempt('ann', '10.2.0.1')).not.toBe(overloaded);
  });

  it.each([
    { name: 'an IPv4 address', addresses: ['192.0.2.1', '::ffff:192.0.2.1'], other: '192.0.2.2' },
    { name: 'a /64 of IPv6', addresses: ['2001:db8::1', '2001:db8::ffff:2'], other: '2001:db8:0:1::1' },
  ])('closes $name after so many failures', ({ addresses, other }) => {
    const { attempt } = setUp();
    for (let i = 0; i < byAddress; i++) expect(attempt(`u${i}`, addresses[i % 2]!)).not.toBe(overloaded);
    expect(attempt('ann', addresses[0]!)).toBe(overloaded);
    expect(attempt('ann', addresses[1]!)).toBe(overloaded);
    expect(attempt('ann', other)).not.toBe(overloaded);
  });

  it('does not count what succeeds', () => {
    const { attempt } = setUp();
    for (let i = 0; i < 10 * byAddress; i++) {
      const made = attempt('ann', '192.0.2.1');
      if (typeof made === 'string') throw new Error('refused');
      made.succeeded();
    }
  });

  it('keeps nobody from an account to whose address it is familiar', () => {
    const { attempt } = setUp();
    const home = attempt('ann', '192.0.2.1');
    if (typeof home === 'string') throw new Error('refused');
    home.succeeded();
    for (let i = 0; i < 2 * byName; i++) attempt('ann', `10.0.${i}.1`);
    expect(attempt('ann', '10.1.0.1')).toBe(overloaded);
    // At home there are as many tries as an address has.
    for (let i = 0; i < byAddress; i++) expect(attempt('ann', '192.0.2.1')).not.toBe(overloaded);
    expect(attempt('ann', '192.0.2.1')).toBe(overloaded);
    expect(attempt('bob', '192.0.2.1')).toBe(overloaded);
  });

  it('does not count what came to nothing', () => {
    const { attempt } = setUp();
    for (let i = 0; i < 10 * byAddress; i++) {
      const made = attempt('ann', '192.0.2.1');
      if (typeof made === 'string') throw new Error('refused');
      made.undecided();
    }
    // Nor is the address familiar with the account now.
    for (let i = 0; i < byName; i++) attempt('ann', `10.0.${i}.1`);
    expect(attempt('ann', '192.0.2.1')).toBe(overloaded);
  });

  it('counts names that no account can have as one, and keeps none of them', () => {
    const { attempt } = setUp();
    const name = (i: number) => `${'A'.repeat(limits.credentialCharactersMax)}${i}`;
    for (let i = 0; i < byName; i++) expect(attempt(name(i), `10.0.${i}.1`)).not.toBe(overloaded);
    expect(attempt(name(byName), '10.1.0.1')).toBe(overloaded);
    expect(attempt('ann', '10.1.0.1')).not.toBe(overloaded);
  });

  it('counts attempts that are still under way', () => {
    const { attempt } = setUp();
    const made = Array.from({ length: 10 * byName }, (_, i) => attempt('ann', `10.0.${i}.1`));
    expect(made.filter((each) => each !== overloaded)).toHaveLength(byName);
  });

  it('remembers a bounded number, and the latest', () => {
    const { attempt } = setUp();
    for (let i = 0; i < limits.failedLoginsRememberedCountMax; i++) attempt(`u${i}`, `10.${i >> 8}.${i & 255}.1`);
    for (let i = 0; i < byName; i++) attempt('ann', `11.0.${i}.1`);
    for (let i = 0; i < 1000; i++) attempt(`v${i}`, `12.${i >> 8}.${i & 255}.1`);
    expect(attempt('ann', '13.0.0.1')).toBe(overloaded);
  });
});
