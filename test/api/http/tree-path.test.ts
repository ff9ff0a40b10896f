import { describe, expect, it } from 'vitest';
import { findPlace, parseTreePath } from '../../../src/api/http/tree-path.js';
import { errorCode } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import type { TreeItem } from '../../../src/tree/tree-item.js';
import { TreeReader } from '../../../src/tree/tree-reader.js';
import { emptyDirectory, file, link, NodeShelf, projectItems, sorted } from '../../support/trees.js';

describe('parseTreePath', () => {
  it.each([
    { text: '', names: [], endsInSlash: false },
    { text: '/', names: [], endsInSlash: true },
    { text: '/a/b', names: ['a', 'b'], endsInSlash: false },
    { text: '/a/b/', names: ['a', 'b'], endsInSlash: true },
    { text: '/%C3%A4%20%25/..a/...', names: ['ä %', '..a', '...'], endsInSlash: false },
    { text: '/%EF%BB%BFx', names: ['\ufeffx'], endsInSlash: false },
  ])('$text', ({ text, names, endsInSlash }) => {
    expect(parseTreePath(text)).toEqual({ names, endsInSlash });
  });

  it.each([
    { text: '/a//b', code: 'not_found' },
    { text: '//', code: 'not_found' },
    { text: '/./a', code: 'not_found' },
    { text: '/a/..', code: 'not_found' },
    { text: '/%2e%2E/a', code: 'not_found' },
    { text: '/a%2Fb', code: 'not_found' },
    { text: '/a%00', code: 'not_found' },
    { text: '/%', code: 'invalid_argument' },
    { text: '/%zz', code: 'invalid_argument' },
    { text: '/%ff', code: 'invalid_argument' },
    { text: '/%ED%A0%80', code: 'invalid_argument' },
  ])('refuses $text', ({ text, code }) => {
    let refusal: unknown;
    try {
      parseTreePath(text);
    } catch (error) {
      refusal = error;
    }
    expect(errorCode(refusal)).toBe(code);
  });
});

async function readerOf(items: readonly TreeItem[]): Promise<{ reader: TreeReader; shelf: NodeShelf }> {
  const shelf = new NodeShelf();
  const { digest } = await shelf.build(sorted(items));
  return { reader: await TreeReader.open(shelf.source, digest.hash), shelf };
}

describe('findPlace', () => {
  const items = [
    file('a/b/file'),
    file('a/file'),
    file('a.file'),
    emptyDirectory('nothing'),
    link('to-file', 'a/file'),
    link('to-directory', 'a/b'),
    link('to-link', 'to-directory/file'),
    link('a/b/up', '../../to-directory/file'),
    link('a/here', '.'),
    link('a/root', '../'),
    link('dangling', 'no/such'),
    link('below-file', 'a/file/below'),
    link('slash', 'a/file/'),
    link('self', 'self'),
    link('ping', 'pong'),
    link('pong', 'ping'),
  ];
  const directory = (...names: string[]) => ({ kind: 'directory', names });
  const fileAt = (path: string) => ({ kind: 'file', path });

  it.each([
    { path: '', want: directory() },
    { path: 'a', want: directory('a') },
    { path: 'a/b', want: directory('a', 'b') },
    { path: 'nothing', want: directory('nothing') },
    { path: 'a/b/file', want: fileAt('a/b/file') },
    { path: 'to-file', want: fileAt('a/file') },
    { path: 'to-directory', want: directory('a', 'b') },
    { path: 'to-directory/file', want: fileAt('a/b/file') },
    { path: 'to-directory/up', want: fileAt('a/b/file') },
    { path: 'to-link', want: fileAt('a/b/file') },
    { path: 'a/here/here/here/root/a/here/file', want: fileAt('a/file') },
    { path: 'a/root', want: directory() },
    { path: 'a/f', want: undefined },
    { path: 'no', want: undefined },
    { path: 'a/file/below', want: undefined },
    { path: 'nothing/below', want: undefined },
    { path: 'dangling', want: undefined },
    { path: 'below-file', want: undefined },
    { path: 'slash', want: undefined },
  ])('$path', async ({ path, want }) => {
    const { reader } = await readerOf(items);
    const place = await findPlace(reader, path === '' ? [] : path.split('/'));
    if (want === undefined) expect(place).toBeUndefined();
    else expect(place).toMatchObject(want);
  });

  it.each(['self', 'ping'])('gives up on the circle %s', async (path) => {
    const { reader } = await readerOf(items);
    await expect(findPlace(reader, [path])).rejects.toMatchObject({ code: 'not_found' });
  });

  it('follows long chains, within bounds', async () => {
    const count = limits.treePathStepsCountMax;
    const chain = Array.from({ length: count }, (_, i) => link(`l${i}`, i === count - 1 ? 'end' : `l${i + 1}`));
    const { reader } = await readerOf([...chain, file('end')]);
    expect(await findPlace(reader, ['l1'])).toMatchObject(fileAt('end'));
    await expect(findPlace(reader, ['l0'])).rejects.toMatchObject({ code: 'not_found' });
  });

  it('reads one way down for a file', async () => {
    const items = projectItems(20_000);
    const { path } = items[12_345]!;
    const reads = async (ask: (reader: TreeReader) => Promise<unknown>) => {
      const { reader, shelf } = await readerOf(items);
      shelf.reads = [];
      await ask(reader);
      return shelf.reads;
    };
    const direct = await reads((reader) => reader.find(path));
    expect(direct.length).toBeGreaterThan(1);
    expect(await reads((reader) => findPlace(reader, path.split('/')))).toEqual(direct);
  });
});
