import { describe, expect, it } from 'vitest';
import { parseAuthorization } from '../../../src/api/auth/credentials.js';
import { limits } from '../../../src/base/limits.js';

const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('parseAuthorization', () => {
  it.each([
    ['Bearer abc.def-_~+/=', { scheme: 'bearer', token: 'abc.def-_~+/=' }],
    ['bearer   abc ', { scheme: 'bearer', token: 'abc' }],
    [`Basic ${base64('ann:secret')}`, { scheme: 'basic', name: 'ann', password: 'secret' }],
    [`BASIC ${base64('ann:a:b:')}`, { scheme: 'basic', name: 'ann', password: 'a:b:' }],
    [`Basic ${base64('ann:')}`, { scheme: 'basic', name: 'ann', password: '' }],
    [`Basic ${base64('änn:pässwörd')}`, { scheme: 'basic', name: 'änn', password: 'pässwörd' }],
  ])('reads %s', (text, want) => {
    expect(parseAuthorization(text)).toEqual(want);
  });

  it.each([
    '',
    'Bearer',
    'Bearer ',
    'Bearer a b',
    'Basic',
    `Basic ${base64('no colon')}`,
    'Digest username="ann"',
    'abc',
    `Bearer ${'x'.repeat(limits.credentialCharactersMax)}`,
  ])('refuses %j', (text) => {
    expect(() => parseAuthorization(text)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
  });
});
