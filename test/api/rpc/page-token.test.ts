import { expect, it } from 'vitest';
import { decodePageToken, encodePageToken } from '../../../src/api/rpc/page-token.js';
import { errorCode } from '../../../src/base/errors.js';
import { hashBytes } from '../../../src/blake3/hasher.js';

const hash = hashBytes(new Uint8Array([1]));

function codeOf(service: string, token: string): string {
  try {
    decodePageToken(service, token);
    return 'ok';
  } catch (error) {
    return errorCode(error);
  }
}

it.each([hash, new Uint8Array(0), new Uint8Array(5000)])('comes back as the position it was made of', (position) => {
  expect(decodePageToken('a.List', encodePageToken('a.List', position))).toEqual(position);
});

it('is refused when it is not of this list, or was changed', () => {
  const token = encodePageToken('a.List', hash);
  expect(codeOf('b.List', token)).toBe('invalid_argument');
  const bytes = Buffer.from(token, 'base64url');
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1;
    expect(codeOf('a.List', changed.toString('base64url'))).toBe('invalid_argument');
  }
  for (const text of [
    '',
    'x',
    `${token}A`,
    `${token}=`,
    `${token} `,
    token.slice(1),
    Buffer.alloc(41).toString('hex'),
  ]) {
    expect(codeOf('a.List', text)).toBe('invalid_argument');
  }
});
