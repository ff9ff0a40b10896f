import { describe, expect, it } from 'vitest';
import { decodeHeader, encodeHeader } from '../../../src/api/tcp/header.js';
import { errorCode } from '../../../src/base/errors.js';

describe('the header', () => {
  it('has 24 bytes, big-endian', () => {
    const header = { version: 1, type: 0x0010, length: 0x0102030405060708n, requestId: 0xfffefdfcfbfaf9f8n };
    const bytes = encodeHeader(header);
    expect(bytes.toString('hex')).toBe('4c4d4f46' + '0001' + '0010' + '0102030405060708' + 'fffefdfcfbfaf9f8');
    expect(decodeHeader(bytes)).toEqual(header);
  });

  it('refuses bytes that begin no message', () => {
    const bytes = Buffer.alloc(24, 'GET / HTTP/1.1\r\n');
    let code = 'accepted';
    try {
      decodeHeader(bytes);
    } catch (error) {
      code = errorCode(error);
    }
    expect(code).toBe('invalid_argument');
  });
});
