import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toDigest } from '../../src/base/digest.js';
import { digestBlob, hashBytes } from '../../src/blake3/hasher.js';
import { decodeManifestNode, encodeBranch, encodeLeaf } from '../../src/chunk/manifest-node.js';

const hash = hashBytes(Uint8Array.of(1));
const chunk = { digest: toDigest(hash, 5 * 2 ** 32 + 7), sha256: new Uint8Array(32).fill(9) };
const leaf = encodeLeaf([chunk, chunk]);
const branch = encodeBranch(1, [{ node: hash, bytes: 12, chunkCount: 3 }]);

function part(chunkCount: number) {
  return { node: hash, bytes: 1000, chunkCount };
}

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = value;
  return copy;
}

describe('a node of a manifest', () => {
  it('has the bytes that docs/FORMATS.md says', () => {
    const hello = new TextEncoder().encode('hello');
    const sha256 = new Uint8Array(createHash('sha256').update(hello).digest());
    expect(Buffer.from(encodeLeaf([{ digest: digestBlob(hello), sha256 }])).toString('hex')).toBe(
      '434d414e010001000500000000000000' +
        '0100000000000000' +
        'ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f' +
        '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824' +
        '0500000000000000',
    );
    expect(Buffer.from(leaf.subarray(0, 24)).toString('hex')).toBe('434d414e010002000e0000000a0000000200000000000000');
    expect(leaf.length).toBe(24 + 2 * 72);
    expect(branch.length).toBe(24 + 48);
    expect(decodeManifestNode(leaf)).toEqual({
      level: 0,
      bytes: 10 * 2 ** 32 + 14,
      chunkCount: 2,
      chunks: [chunk, chunk],
    });
    expect(decodeManifestNode(branch)).toMatchObject({ level: 1, bytes: 12, chunkCount: 3 });
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['another magic', changed(leaf, 0, 0)],
    ['a later version', changed(leaf, 4, 2)],
    ['too many levels', changed(branch, 5, 200)],
    ['more rows than there are', changed(leaf, 6, 3)],
    ['too many rows', changed(leaf, 7, 255)],
    ['a wrong sum of bytes', changed(leaf, 8, 1)],
    ['a wrong count of chunks', changed(leaf, 16, 1)],
    ['a number beyond 2⁵³', changed(leaf, 15, 255)],
    ['an empty chunk', encodeLeaf([{ ...chunk, digest: toDigest(hash, 0) }])],
    ['a branch without children', encodeBranch(1, [])],
    ['a child that is not full before another', encodeBranch(1, [part(511), part(1)])],
    ['a child that holds too much', encodeBranch(1, [part(513)])],
    ['a child that holds nothing', encodeBranch(1, [part(512), part(0)])],
    ['a byte too many', Buffer.concat([leaf, Buffer.of(0)])],
  ])('is not taken with %s', (_, bytes) => {
    expect(() => decodeManifestNode(bytes)).toThrow(expect.objectContaining({ code: 'corrupt' }));
  });
});
