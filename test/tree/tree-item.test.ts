import { describe, expect, it } from 'vitest';
import { checkItem, checkPath, comparePaths } from '../../src/tree/tree-item.js';
import { seededRandom, testSeed } from '../support/random.js';
import { emptyDirectory, file, link, randomItems } from '../support/trees.js';

function refusal(act: () => void): { code?: string; message?: string } {
  try {
    act();
  } catch (error) {
    return error as { code: string; message: string };
  }
  return {};
}

const accepted = [
  'a',
  'a/b',
  '..a',
  'a..',
  '...',
  'a/.b/c.',
  '\\',
  'a\\..\\b',
  'C:',
  ' ',
  '\n',
  '\ufeff',
  '🙂',
  'é'.repeat(127),
];

const refused: readonly { rule: string; path: string; says: RegExp }[] = [
  { rule: 'empty', path: '', says: /empty/ },
  { rule: 'absolute', path: '/a', says: /"\/a" is absolute/ },
  { rule: 'the root itself', path: '/', says: /"\/" is absolute/ },
  { rule: 'a parent', path: '..', says: /"\.\." contains '\.\.'/ },
  { rule: 'a parent first', path: '../a', says: /"\.\.\/a" contains '\.\.'/ },
  { rule: 'a parent inside', path: 'a/../b', says: /"a\/\.\.\/b" contains '\.\.'/ },
  { rule: 'a parent last', path: 'a/..', says: /"a\/\.\." contains '\.\.'/ },
  { rule: 'a dot', path: '.', says: /"\." contains '\.'/ },
  { rule: 'a dot inside', path: 'a/./b', says: /"a\/\.\/b" contains '\.'/ },
  { rule: 'nothing between slashes', path: 'a//b', says: /"a\/\/b" has two slashes/ },
  { rule: 'a slash at the end', path: 'a/', says: /"a\/" ends with a slash/ },
  { rule: 'NUL', path: 'a\0b', says: /"a\\u0000b" contains a NUL/ },
  { rule: 'half a character', path: 'a\ud800', says: /"a\\ud800" is not UTF-8/ },
  { rule: 'the other half', path: '\udc00/b', says: /is not UTF-8/ },
  {
    rule: 'a name of 256 bytes',
    path: `a/${'b'.repeat(256)}/c`,
    says: /"a\/b+\/c" has a name longer than 255 bytes: "b+"/,
  },
  { rule: 'a name of 256 bytes in 128 characters', path: 'é'.repeat(128), says: /longer than 255 bytes/ },
  { rule: 'a path of 4097 bytes', path: `${'a/'.repeat(2048)}a`, says: /"(a\/)+"… is longer than 4096 bytes/ },
];

describe('checkPath', () => {
  it.each(accepted)('accepts %j', (path) => {
    expect(refusal(() => checkPath(path))).toEqual({});
  });

  it('accepts a name of 255 bytes and a path of 4096', () => {
    expect(refusal(() => checkPath(`a/${'b'.repeat(255)}`))).toEqual({});
    expect(refusal(() => checkPath(`${'a/'.repeat(2047)}ab`))).toEqual({});
  });

  it.each(refused)('refuses $rule', ({ path, says }) => {
    const { code, message } = refusal(() => checkPath(path));
    expect(code).toBe('invalid_argument');
    expect(message).toMatch(says);
  });

  it('gives each rule words of its own', () => {
    const words = ['', '/', '..', '.', 'a//b', 'a/', '\0', '\ud800', 'b'.repeat(256), `${'a/'.repeat(2048)}a`].map(
      (path) => refusal(() => checkPath(path)).message!.replaceAll(/"[^"]*"…?/g, 'P'),
    );
    expect(new Set(words).size).toBe(words.length);
  });
});

describe('checkItem', () => {
  it.each([
    { path: 'a', target: 'b' },
    { path: 'a', target: 'b/c' },
    { path: 'a', target: '.' },
    { path: 'a', target: './b//c/' },
    { path: 'a/b', target: '..' },
    { path: 'a/b/c', target: '../../d' },
    { path: 'a/b/c', target: '.././../d' },
    { path: 'a', target: '..b' },
    { path: 'a', target: '\\..\\..' },
    { path: 'a', target: 'a' },
  ])('accepts link $path to $target', ({ path, target }) => {
    expect(refusal(() => checkItem(link(path, target)))).toEqual({});
  });

  it.each([
    { path: 'a', target: '', says: /target of link "a" is empty/ },
    { path: 'a', target: '/etc/passwd', says: /"a", "\/etc\/passwd", is absolute/ },
    { path: 'a', target: '..', says: /"a", "\.\.", leads out of the tree/ },
    { path: 'a', target: './..', says: /leads out of the tree/ },
    { path: 'a', target: '../tree/b', says: /leads out of the tree/ },
    { path: 'a/b', target: '../..', says: /leads out of the tree/ },
    { path: 'a/b', target: '..//../c', says: /leads out of the tree/ },
    // `x/s` may be a link to the root, and then this one leads out of it.
    { path: 'x/t', target: 's/../..', says: /"x\/t", "s\/\.\.\/\.\.", has '\.\.' after a name/ },
    { path: 'a', target: 'b/../c', says: /after a name/ },
    { path: 'a', target: 'b\0', says: /contains a NUL/ },
    { path: 'a', target: '\ud800', says: /is not UTF-8/ },
    { path: 'a', target: 'b'.repeat(4097), says: /longer than 4096 bytes/ },
    { path: '/a', target: 'b', says: /path "\/a" is absolute/ },
  ])('refuses link $path to $target', ({ path, target, says }) => {
    const { code, message } = refusal(() => checkItem(link(path, target)));
    expect(code).toBe('invalid_argument');
    expect(message).toMatch(says);
  });

  it('holds files and empty directories to the rules of paths', () => {
    expect(refusal(() => checkItem(file('a/../b'))).code).toBe('invalid_argument');
    expect(refusal(() => checkItem(emptyDirectory('..'))).code).toBe('invalid_argument');
    expect(refusal(() => checkItem(emptyDirectory('a')))).toEqual({});
  });
});

describe('comparePaths', () => {
  it('orders as bytes do', () => {
    const paths = randomItems(seededRandom(testSeed('comparePaths')), 300).map(({ path }) => path);
    const more = ['\ud7ff', '\ue000', '\uffff', '𐀀', '\u{10ffff}', 'a', 'a\ue000', 'a𐀀', 'a𐀁', '', ...paths];
    for (const a of more) {
      for (const b of more) {
        expect(Math.sign(comparePaths(a, b)), `${a} and ${b}`).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }
    }
  });
});
