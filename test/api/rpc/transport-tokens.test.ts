import { describe, expect, it } from 'vitest';
import { TransportTokens } from '../../../src/api/rpc/transport-tokens.js';
import { type Clock, systemClock } from '../../../src/base/clock.js';
import { limits } from '../../../src/base/limits.js';
import { systemRandom } from '../../../src/base/random.js';

function setUp() {
  let now = 1_700_000_000_000;
  const clock: Clock = { ...systemClock, now: () => now };
  const tokens = new TransportTokens({ clock, random: systemRandom, nodeId: 0xabcd });
  const pass = (seconds: number) => {
    now += 1000 * seconds;
  };
  return { tokens, clock, pass };
}

describe('TransportTokens', () => {
  it('issues UUIDs of version 8 that name the node and the expiry, each but once', () => {
    const { tokens } = setUp();
    const issued = Array.from({ length: 1000 }, () => tokens.issue());
    expect(new Set(issued).size).toBe(1000);
    for (const token of issued) {
      expect(token).toMatch(/^abcd[0-9a-f]{4}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(Number.parseInt(token.slice(4, 13).replace('-', ''), 16)).toBe(1_700_000_000 + 60);
    }
  });

  it('gives a token to the session that presents it first, for as long as that lives', () => {
    const { tokens, pass } = setUp();
    const [mine, other] = [{}, {}];
    const token = tokens.issue();
    expect(tokens.redeem(token, mine)).toBe('redeemed');
    expect(tokens.redeem(token, mine)).toBe('owned');
    expect(tokens.redeem(token.toUpperCase(), mine)).toBe('owned');
    expect(tokens.redeem(token, other)).toBe('spent');
    expect(tokens.redeem(token, undefined)).toBe('spent');
    pass(3600);
    expect(tokens.redeem(token, mine)).toBe('owned');
    expect(tokens.redeem(token, other)).toBe('expired');
  });

  it('gives a token to one call where there is no session', () => {
    const { tokens } = setUp();
    const token = tokens.issue();
    expect(tokens.redeem(token, undefined)).toBe('redeemed');
    expect(tokens.redeem(token, undefined)).toBe('spent');
    expect(tokens.redeem(token, {})).toBe('spent');
  });

  it('lets a token die after 60 seconds', () => {
    const { tokens, pass } = setUp();
    const [early, late] = [tokens.issue(), tokens.issue()];
    pass(59);
    expect(tokens.redeem(early, undefined)).toBe('redeemed');
    pass(1);
    expect(tokens.redeem(late, undefined)).toBe('expired');
  });

  it('knows none but its own', () => {
    const { tokens, clock } = setUp();
    const foreign = new TransportTokens({ clock, random: systemRandom, nodeId: 0xabcd }).issue();
    const mine = tokens.issue();
    const changed = [...mine].map((digit, at) => mine.slice(0, at) + (digit === '0' ? '1' : '0') + mine.slice(at + 1));
    const strangers = [foreign, '', 'token', crypto.randomUUID(), `${mine}0`, mine.replaceAll('-', ''), ...changed];
    for (const text of strangers.filter((stranger) => stranger !== mine)) {
      expect([text, tokens.redeem(text, {})]).toEqual([text, 'unknown']);
    }
    expect(tokens.redeem(mine, {})).toBe('redeemed');
  });

  it('bounds the tokens of a session', () => {
    const { tokens } = setUp();
    const session = {};
    for (let i = 0; i < limits.tokensPerSessionCountMax; i++) {
      expect(tokens.redeem(tokens.issue(), session)).toBe('redeemed');
    }
    const token = tokens.issue();
    expect(tokens.redeem(token, session)).toBe('overloaded');
    expect(tokens.redeem(token, {})).toBe('redeemed');
  });

  it('bounds what it remembers, and forgets it in time', () => {
    const { tokens, pass } = setUp();
    for (let i = 0; i < limits.spentTokensCountMax; i++) tokens.redeem(tokens.issue(), undefined);
    expect(tokens.redeem(tokens.issue(), undefined)).toBe('overloaded');
    pass(60);
    expect(tokens.redeem(tokens.issue(), undefined)).toBe('redeemed');
  });
});
