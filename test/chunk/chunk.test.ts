import { describe, expect, it } from 'vitest';
import { digestBlob } from '../../src/blake3/hasher.js';
import { formatChecksum, formatChunkId, parseChunkId } from '../../src/chunk/chunk.js';

describe('a chunk', () => {
  const digest = digestBlob(new TextEncoder().encode('hello'));

  it('is named by its digest', () => {
    const id = formatChunkId(digest);
    expect(id).toBe('c_ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f');
    expect(parseChunkId(id)).toEqual(digest.hash);
  });

  it.each([
    '',
    'c_',
    'c_abc123',
    'x_ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f',
    `c_${'g'.repeat(64)}`,
  ])('is not named %j', (text) =>
    expect(() => parseChunkId(text)).toThrow(expect.objectContaining({ code: 'invalid_argument' })),
  );

  it('has a checksum beside it', () => {
    expect(formatChecksum({ digest, sha256: new Uint8Array(32).fill(0xab) })).toBe(`sha256:${'ab'.repeat(32)}`);
  });
});
