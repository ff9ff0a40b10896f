import { describe, expect, it } from 'vitest';
import { entries } from '../../src/cli/name-list.js';

async function* pieces(text: string, bytes: number): AsyncGenerator<Uint8Array> {
  const all = Buffer.from(text);
  for (let at = 0; at < all.length; at += bytes) yield all.subarray(at, at + bytes);
}

describe('entries', () => {
  it.each([
    { text: '', separator: '\n', want: [] },
    { text: 'a', separator: '\n', want: ['a'] },
    { text: 'a\nb\n', separator: '\n', want: ['a', 'b'] },
    { text: '\n\na b\n\nç€😀\n', separator: '\n', want: ['a b', 'ç€😀'] },
    { text: 'a\nb\0c\0', separator: '\0', want: ['a\nb', 'c'] },
  ] as const)('cuts $text however it comes', async ({ text, separator, want }) => {
    for (const bytes of [1, 2, 3, 100]) {
      const got = [];
      for await (const entry of entries(pieces(text, bytes), separator)) got.push(entry);
      expect(got).toEqual(want);
    }
  });
});
