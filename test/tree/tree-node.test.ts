import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../src/base/bytes.js';
import { errorCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { TreeSchema } from '../../src/gen/cairn/v1/tree_pb.js';
import type { VirtualFsItem } from '../../src/gen/zako/v1/fs/fs_pb.js';
import type { TreeItem } from '../../src/tree/tree-item.js';
import { decodeNode, encodeNode, type TreeNode } from '../../src/tree/tree-node.js';
import { seededRandom, testRounds, testSeed } from '../support/random.js';
import { branch, emptyDirectory, file, leaf, link, NodeShelf, randomItems } from '../support/trees.js';

const shelf = new NodeShelf();
const smallLeaf = leaf(
  { ...file('a'), executable: true },
  emptyDirectory('b'),
  { ...file('c', ''), readonly: true },
  link('d', 'a'),
  file(`e${'é'.repeat(100)}`, 'x'.repeat(300)),
);
const smallBranch = branch(
  shelf.keepPart(leaf(file('a'), file('b'))),
  shelf.keepPart(leaf(emptyDirectory('c'))),
  shelf.keepPart(branch(shelf.keepPart(leaf(file('d', 'x'.repeat(1000)))))),
);

/** undefined when the bytes are refused with the code that they should be refused with. */
function decoded(bytes: Uint8Array): TreeNode | undefined {
  try {
    return decodeNode(bytes);
  } catch (error) {
    if (errorCode(error) === 'invalid_argument') return undefined;
    throw error;
  }
}

/** Whatever is decoded encodes to the same bytes: there is no second encoding. */
function expectCanonical(bytes: Uint8Array): boolean {
  const node = decoded(bytes.slice());
  if (node !== undefined && Buffer.compare(encodeNode(node), bytes) !== 0) expect(encodeNode(node)).toEqual(bytes);
  return node !== undefined;
}

function itemOf(message: VirtualFsItem): TreeItem | undefined {
  const path = message.relativePath;
  const { case: kind, value } = message.item;
  if (kind === 'symlinkTarget') return { kind: 'symlink', path, target: value };
  if (kind === 'emptyDirectory') return { kind: 'directory', path };
  if (kind === undefined) return undefined;
  const digest = { size: Number(value.sizeBytes), hash: value.blake3 } as never;
  return { kind: 'file', path, digest, executable: message.isExecutable, readonly: message.isReadonly };
}

/** The schema's reader drops a byte order mark at the start of a text. Ours may not: that is another name. */
function withoutMarks(items: readonly TreeItem[]): TreeItem[] {
  return items.map((item) => ({ ...item, path: item.path.replace(/^\ufeff/, '') }));
}

/** The node as the schema reads it. */
function readBySchema(bytes: Uint8Array): TreeNode {
  const tree = fromBinary(TreeSchema, bytes);
  if (tree.parts.length === 0) return { kind: 'leaf', items: tree.items.map((item) => itemOf(item)!) };
  const parts = tree.parts.map(({ node, firstPath, itemCount, fileBytes }) => ({
    node: { size: Number(node!.sizeBytes), hash: node!.blake3 } as never,
    firstPath,
    itemCount: Number(itemCount),
    fileBytes: Number(fileBytes),
  }));
  return { kind: 'branch', parts };
}

describe('a node', () => {
  it.each([
    { what: 'no entries', node: leaf() },
    { what: 'entries', node: smallLeaf },
    { what: 'parts', node: smallBranch },
  ])('of $what is read back, by the schema as well', ({ node }) => {
    const bytes = encodeNode(node);
    expect(decodeNode(bytes)).toEqual(node);
    expect(readBySchema(bytes)).toEqual(node);
    // The library's encoder happens to agree with ours.
    expect(toBinary(TreeSchema, fromBinary(TreeSchema, bytes))).toEqual(bytes);
  });

  it('without entries is the empty blob', () => {
    expect(encodeNode(leaf())).toEqual(new Uint8Array(0));
  });

  it('has the bytes that FORMATS.md shows', () => {
    const node = leaf({ ...file('bin/run', 'hello'), executable: true }, link('run', 'bin/run'), emptyDirectory('tmp'));
    expect(Buffer.from(encodeNode(node)).toString('hex')).toBe(
      '0a31' +
        '0a07' +
        '62696e2f72756e' +
        '1224' +
        '0805' +
        '1220' +
        'ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f' +
        '2801' +
        '0a0e' +
        '0a03' +
        '72756e' +
        '1a07' +
        '62696e2f72756e' +
        '0a07' +
        '0a03' +
        '746d70' +
        '2001',
    );
  });

  it('of random entries is read back, by the schema as well', () => {
    const random = seededRandom(testSeed('tree nodes'));
    for (let round = 0; round < 100 * testRounds(); round++) {
      const items = randomItems(random, random.below(60));
      const bytes = encodeNode(leaf(...items));
      expect(decodeNode(bytes)).toEqual(leaf(...items));
      expect(readBySchema(bytes)).toEqual(leaf(...withoutMarks(items)));
      const unmarked = randomItems(random, 30).filter(({ path }) => !path.startsWith('\ufeff'));
      const parts = unmarked.map(({ path }) =>
        shelf.keepPart(leaf(file(path)), {
          itemCount: 1 + random.below(2 ** 32) * random.below(2 ** 21),
          fileBytes: random.below(2 ** 32) * random.below(2 ** 21),
        }),
      );
      expect(decodeNode(encodeNode(branch(...parts)))).toEqual(branch(...parts));
      expect(readBySchema(encodeNode(branch(...parts)))).toEqual(branch(...parts));
    }
  });
});

describe('decodeNode', () => {
  it.each([
    { what: 'a leaf', node: smallLeaf },
    { what: 'a branch', node: smallBranch },
  ])('accepts no change to one byte of $what but to another node', ({ node }) => {
    const bytes = encodeNode(node);
    let accepted = 0;
    for (let at = 0; at < bytes.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        if (byte === bytes[at]) continue;
        const changed = bytes.slice();
        changed[at] = byte;
        accepted += Number(expectCanonical(changed));
      }
    }
    // Of hashes, names and numbers any byte may change.
    expect(accepted).toBeGreaterThan(1000);
  });

  it.each([
    { what: 'a leaf', node: smallLeaf },
    { what: 'a branch', node: smallBranch },
  ])('refuses bytes cut off, put in, left out or doubled in $what', ({ node }) => {
    const bytes = encodeNode(node);
    for (let at = 0; at <= bytes.length; at++) {
      const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
      expectCanonical(head);
      expectCanonical(tail);
      expectCanonical(concatBytes([head, tail.subarray(1)]));
      for (let byte = 0; byte < 256; byte++) expectCanonical(concatBytes([head, Uint8Array.of(byte), tail]));
      for (let length = 1; length < 8; length++) expectCanonical(concatBytes([head, tail.subarray(0, length), tail]));
    }
  });

  it('reads random bytes and random messages without harm', () => {
    const random = seededRandom(testSeed('bytes for decodeNode'));
    for (let round = 0; round < 20_000 * testRounds(); round++) {
      expectCanonical(random.bytes(random.below(60)));
      // Bytes that often mean something: tags, short lengths, letters.
      const likely = [0x0a, 0x12, 0x1a, 0x20, 0x28, 0x30, 0x08, 0x10, 0x18, 0, 1, 2, 3, 4, 5, 0x80, 0x61, 0x2f];
      expectCanonical(Uint8Array.from({ length: random.below(16) }, () => random.pick(likely)));
    }
  });

  const hash = `1220${'ab'.repeat(32)}`;
  const part = `1222${hash}`;
  it.each([
    { what: 'an entry that is nothing', hex: '0a03' + '0a0161' },
    { what: 'an entry without a path', hex: '0a02' + '2001' },
    { what: 'an entry with an empty path', hex: '0a04' + '0a00' + '2001' },
    { what: 'an entry with a path that is absolute', hex: '0a06' + '0a022f61' + '2001' },
    { what: 'an entry with a path that climbs', hex: '0a06' + '0a022e2e' + '2001' },
    { what: 'a directory that is false', hex: '0a05' + '0a0161' + '2000' },
    { what: 'a directory that is two', hex: '0a05' + '0a0161' + '2002' },
    { what: 'a directory that is true in two bytes', hex: '0a06' + '0a0161' + '208100' },
    { what: 'a directory that can be run', hex: '0a07' + '0a0161' + '2001' + '2801' },
    { what: 'a link to nothing', hex: '0a05' + '0a0161' + '1a00' },
    { what: 'a link that leads out', hex: '0a07' + '0a0161' + '1a022e2e' },
    { what: 'a link that can be run', hex: '0a08' + '0a0161' + '1a0162' + '2801' },
    { what: 'a link that is also a directory', hex: '0a08' + '0a0161' + '1a0162' + '2001' },
    { what: 'a file with a flag that is false', hex: `0a29${'0a0161'}1222${hash}2800` },
    { what: 'a file with its flags in the wrong order', hex: `0a2b${'0a0161'}1222${hash}30012801` },
    { what: 'a file with a size of zero spelled out', hex: `0a29${'0a0161'}12240800${hash}` },
    { what: 'a file with a size of 2⁵³', hex: `0a30${'0a0161'}122b0880808080808080${'10'}${hash}` },
    { what: 'a file with a size of ten bytes', hex: `0a32${'0a0161'}122d08ffffffffffffffffff01${hash}` },
    { what: 'a file without a hash', hex: `0a07${'0a0161'}12020805` },
    { what: 'a file with a hash of 31 bytes', hex: `0a26${'0a0161'}1221121f${'ab'.repeat(31)}` },
    { what: 'a file with two digests', hex: `0a4b${'0a0161'}1222${hash}1222${hash}` },
    { what: 'a name that is not UTF-8', hex: '0a05' + '0a01ff' + '2001' },
    { what: 'a name with half a character', hex: '0a07' + '0a03eda080' + '2001' },
    { what: 'a name in an overlong form', hex: '0a06' + '0a02c0af' + '2001' },
    { what: 'a length with a needless byte', hex: '0a8500' + '0a0161' + '2001' },
    { what: 'a group', hex: '0b0c' },
    { what: 'an unknown field', hex: '1801' },
    { what: 'a path twice', hex: '0a05' + '0a0161' + '2001' + '0a05' + '0a0161' + '2001' },
    { what: 'paths out of order', hex: '0a05' + '0a0162' + '2001' + '0a05' + '0a0161' + '2001' },
    { what: 'a path below another', hex: '0a05' + '0a0161' + '2001' + '0a07' + '0a03612f62' + '2001' },
    { what: 'a part of nothing', hex: `1227${part.replace('12', '0a')}120161` },
    { what: 'a part without a node', hex: '1205' + '120161' + '1801' },
    { what: 'a part without a first path', hex: `1226${part.replace('12', '0a')}1801` },
    { what: 'a part with a bad first path', hex: `122a${part.replace('12', '0a')}12022e2e1801` },
    { what: 'entries and parts', hex: `0a050a01612001${'1229'}${part.replace('12', '0a')}1201621801` },
    {
      what: 'parts out of order',
      hex: `1229${part.replace('12', '0a')}12016218011229${part.replace('12', '0a')}1201611801`,
    },
    {
      what: 'parts that begin alike',
      hex: `1229${part.replace('12', '0a')}12016118011229${part.replace('12', '0a')}1201611801`,
    },
  ])('refuses $what', ({ hex }) => {
    expect(() => decodeNode(Buffer.from(hex, 'hex'))).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });

  it('accepts what the refused ones were made from', () => {
    expect(decodeNode(Buffer.from(`0a270a01611222${hash}`, 'hex')).kind).toBe('leaf');
    expect(decodeNode(Buffer.from(`0a300a0161122b08ffffffffffffff0f${hash}`, 'hex')).kind).toBe('leaf');
    expect(decodeNode(Buffer.from(`1229${part.replace('12', '0a')}1201611801`, 'hex')).kind).toBe('branch');
    expect(decodeNode(Buffer.from('0a050a01612001', 'hex'))).toEqual(leaf(emptyDirectory('a')));
  });

  it('refuses entries and parts together, whichever comes first', () => {
    const items = encodeNode(leaf(file('z')));
    const parts = encodeNode(smallBranch);
    expect(decoded(concatBytes([items, parts]))).toBeUndefined();
    expect(decoded(concatBytes([parts, items]))).toBeUndefined();
  });

  it('does not look at what is too large', () => {
    const items = Array.from({ length: 600 }, (_, i) =>
      emptyDirectory(`${String(i).padStart(4, '0')}${'x'.repeat(120)}`),
    );
    const bytes = encodeNode(leaf(...items));
    expect(bytes.length).toBeGreaterThan(limits.treeNodeBytesMax);
    expect(() => decodeNode(bytes)).toThrow(/too many for a node/);
    expect(() => decodeNode(new Uint8Array(2 ** 24))).toThrow(/too many for a node/);
  });

  it('reads a message of another writer when it is in the one encoding', () => {
    const message = create(TreeSchema, {
      items: [{ relativePath: 'a', item: { case: 'symlinkTarget', value: 'b' } }],
    });
    expect(decodeNode(toBinary(TreeSchema, message))).toEqual(leaf(link('a', 'b')));
  });
});
