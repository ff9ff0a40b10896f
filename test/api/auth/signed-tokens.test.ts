import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { SignedTokens, type TokenClaims } from '../../../src/api/auth/signed-tokens.js';
import { limits } from '../../../src/base/limits.js';
import { HeldClock } from '../../support/accounts.js';

const key = new Uint8Array(32).fill(7);
const clock = new HeldClock();
const keys = (current: Uint8Array) => ({ current, earlier: [] });
const signed = new SignedTokens({ keys: keys(key), clock });
const seconds = clock.now() / 1000;
const claims: TokenClaims = { kind: 'refresh', name: 'ann', id: 'abc', turn: 3, expiresAt: seconds + 60 };
const refused = { code: 'unauthenticated' };

const made = (alg: string, secret: Uint8Array, payload: Record<string, unknown>, issuer = 'cairn') =>
  new SignJWT(payload).setProtectedHeader({ alg }).setIssuer(issuer).setSubject('ann').sign(secret);

describe('SignedTokens', () => {
  it.each<TokenClaims>([
    claims,
    { ...claims, kind: 'access', turn: 0 },
    { ...claims, kind: 'token', turn: 0, expiresAt: undefined },
  ])('reads the $kind that it signed', async (each) => {
    expect(await signed.verify(await signed.sign(each), [each.kind])).toEqual(each);
  });

  it('takes no kind for another', async () => {
    await expect(signed.verify(await signed.sign(claims), ['access', 'token'])).rejects.toMatchObject(refused);
  });

  it('ends with its time', async () => {
    const text = await signed.sign(claims);
    const later = new HeldClock();
    const then = new SignedTokens({ keys: keys(key), clock: later });
    later.pass(59_000);
    await then.verify(text, ['refresh']);
    later.pass(1000);
    await expect(then.verify(text, ['refresh'])).rejects.toMatchObject(refused);
  });

  it('are good by an earlier key as long as that is, and no longer', async () => {
    const later = new HeldClock();
    const lasting = { ...claims, expiresAt: undefined };
    const texts = [await signed.sign(claims), await signed.sign(lasting)] as const;
    const until = later.now() + 30_000;
    const earlier = [new Uint8Array(32).fill(9), key].map((each) => ({ key: each, until }));
    const then = new SignedTokens({ keys: { current: new Uint8Array(32).fill(8), earlier }, clock: later });
    for (const text of texts) expect(await then.verify(text, ['refresh'])).toMatchObject({ expiresAt: until / 1000 });
    await expect(signed.verify(await then.sign(claims), ['refresh'])).rejects.toMatchObject(refused);
    later.pass(30_000);
    for (const text of texts) await expect(then.verify(text, ['refresh'])).rejects.toMatchObject(refused);
    expect(await then.verify(await then.sign(lasting), ['refresh'])).toEqual(lasting);
  });

  const body = { kind: 'access', sid: 'abc' };
  it.each<{ name: string; text: () => Promise<string> | string }>([
    { name: 'nothing', text: () => '' },
    { name: 'no token', text: () => 'a.b.c' },
    { name: 'a key of others', text: () => made('HS256', new Uint8Array(32).fill(8), body) },
    { name: 'another issuer', text: () => made('HS256', key, body, 'others') },
    { name: 'no id', text: () => made('HS256', key, { kind: 'access' }) },
    { name: 'a turn that is no number', text: () => made('HS256', key, { ...body, turn: 'one' }) },
    { name: 'no kind', text: () => made('HS256', key, { sid: 'abc' }) },
    {
      name: 'none for an algorithm',
      text: () => {
        const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
        return `${part({ alg: 'none' })}.${part({ ...body, iss: 'cairn', sub: 'ann' })}.`;
      },
    },
    { name: 'too much', text: () => 'x'.repeat(limits.credentialCharactersMax + 1) },
  ])('refuses $name', async ({ text }) => {
    await expect(signed.verify(await text(), ['access'])).rejects.toMatchObject(refused);
  });

  it('takes no other algorithm, even by its own key', async () => {
    const long = new Uint8Array(64).fill(7);
    const longSigned = new SignedTokens({ keys: keys(long), clock });
    await longSigned.verify(await made('HS256', long, body), ['access']);
    await expect(longSigned.verify(await made('HS512', long, body), ['access'])).rejects.toMatchObject(refused);
  });

  it('refuses a changed letter anywhere', async () => {
    const text = await signed.sign({ ...claims, kind: 'access' });
    for (let at = 0; at < text.length - 1; at += 7) {
      const letter = text[at] === 'A' ? 'B' : 'A';
      const changed = text.slice(0, at) + letter + text.slice(at + 1);
      if (changed !== text) await expect(signed.verify(changed, ['access'])).rejects.toMatchObject(refused);
    }
  });
});
