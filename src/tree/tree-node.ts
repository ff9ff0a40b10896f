// The bytes of a tree's nodes: messages `cairn.v1.Tree`, each in exactly one encoding (docs/FORMATS.md). What
// `decodeNode` lets through is right in itself: allowed entries, in order. Whether a child is what its parent says it is,
// `NodeLoader` checks.

import { type Digest, hashLength, toDigest, toHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { WireReader, WireWriter } from './canonical-wire.js';
import { checkItem, checkPath, comparePaths, type TreeItem } from './tree-item.js';
import { TreeOrder } from './tree-order.js';

export type TreeNode =
  | { readonly kind: 'leaf'; readonly items: readonly TreeItem[] }
  | { readonly kind: 'branch'; readonly parts: readonly TreePart[] };

/** A child of a branch, and what the whole of it holds. */
export interface TreePart {
  readonly node: Digest;
  /** Path of the first entry below it. */
  readonly firstPath: string;
  /** Entries below it. */
  readonly itemCount: number;
  /** Sum of the sizes of the files below it, equal files counted as often as they appear. */
  readonly fileBytes: number;
}

/** Field numbers and wire types: 0 is a number, 2 is something with a length. */
const tags = {
  tree: { item: (1 << 3) | 2, part: (2 << 3) | 2 },
  item: {
    path: (1 << 3) | 2,
    digest: (2 << 3) | 2,
    target: (3 << 3) | 2,
    emptyDirectory: 4 << 3,
    executable: 5 << 3,
    readonly: 6 << 3,
  },
  part: { node: (1 << 3) | 2, firstPath: (2 << 3) | 2, itemCount: 3 << 3, fileBytes: 4 << 3 },
  digest: { size: 1 << 3, hash: (2 << 3) | 2 },
} as const;

const writer = new WireWriter();

/** The node's one encoding. Checks nothing. */
export function encodeNode(node: TreeNode): Uint8Array {
  if (node.kind === 'leaf') {
    for (const item of node.items) writer.message(tags.tree.item, () => encodeItem(item));
  } else {
    for (const part of node.parts) writer.message(tags.tree.part, () => encodePart(part));
  }
  return writer.take();
}

/**
 * `invalid_argument` unless the bytes are the one encoding of a node whose entries are allowed and in order. Takes the
 * bytes over: the digests lie in them.
 */
export function decodeNode(bytes: Uint8Array): TreeNode {
  if (bytes.length > limits.treeNodeBytesMax) {
    throw new CairnError('invalid_argument', `${bytes.length} bytes are too many for a node of a tree`);
  }
  const reader = new WireReader(bytes);
  const items = decodeAll(reader, tags.tree.item, decodeItem);
  const parts = items.length > 0 ? [] : decodeAll(reader, tags.tree.part, decodePart);
  reader.finish();
  checkOrder(items, parts);
  return parts.length > 0 ? { kind: 'branch', parts } : { kind: 'leaf', items };
}

function decodeAll<T>(reader: WireReader, tag: number, decode: (reader: WireReader) => T): T[] {
  const all: T[] = [];
  for (let one = reader.message(tag); one !== undefined; one = reader.message(tag)) {
    all.push(decode(one));
    one.finish();
  }
  return all;
}

function checkOrder(items: readonly TreeItem[], parts: readonly TreePart[]): void {
  const order = new TreeOrder();
  for (const item of items) order.check(item);
  for (let i = 1; i < parts.length; i++) {
    const [before, after] = [parts[i - 1]!.firstPath, parts[i]!.firstPath];
    if (comparePaths(before, after) >= 0) {
      throw new CairnError('invalid_argument', `the part from ${JSON.stringify(after)} on is out of order`);
    }
  }
}

function encodeItem(item: TreeItem): void {
  writer.text(tags.item.path, item.path);
  if (item.kind === 'file') {
    encodeDigest(tags.item.digest, item.digest);
    writer.number(tags.item.executable, Number(item.executable));
    writer.number(tags.item.readonly, Number(item.readonly));
  } else if (item.kind === 'symlink') {
    writer.text(tags.item.target, item.target);
  } else {
    writer.number(tags.item.emptyDirectory, 1);
  }
}

function decodeItem(reader: WireReader): TreeItem {
  const item = decodeAnyItem(reader, reader.text(tags.item.path) ?? '');
  checkItem(item);
  return item;
}

function decodeAnyItem(reader: WireReader, path: string): TreeItem {
  const digest = decodeDigest(tags.item.digest, reader);
  if (digest !== undefined) {
    const executable = decodeFlag(tags.item.executable, reader);
    return { kind: 'file', path, digest, executable, readonly: decodeFlag(tags.item.readonly, reader) };
  }
  const target = reader.text(tags.item.target);
  if (target !== undefined) return { kind: 'symlink', path, target };
  if (decodeFlag(tags.item.emptyDirectory, reader)) return { kind: 'directory', path };
  throw reader.failure('an entry is neither file, link nor directory');
}

function decodeFlag(tag: number, reader: WireReader): boolean {
  const value = reader.number(tag);
  if (value > 1) throw reader.failure('a flag is neither true nor false');
  return value === 1;
}

function encodePart({ node, firstPath, itemCount, fileBytes }: TreePart): void {
  encodeDigest(tags.part.node, node);
  writer.text(tags.part.firstPath, firstPath);
  writer.number(tags.part.itemCount, itemCount);
  writer.number(tags.part.fileBytes, fileBytes);
}

function decodePart(reader: WireReader): TreePart {
  const node = decodeDigest(tags.part.node, reader);
  const firstPath = reader.text(tags.part.firstPath) ?? '';
  const itemCount = reader.number(tags.part.itemCount);
  const fileBytes = reader.number(tags.part.fileBytes);
  if (node === undefined) throw reader.failure('a part names no node');
  if (itemCount === 0) throw reader.failure('a part holds nothing');
  checkPath(firstPath);
  return { node, firstPath, itemCount, fileBytes };
}

function encodeDigest(tag: number, { size, hash }: Digest): void {
  writer.message(tag, () => {
    writer.number(tags.digest.size, size);
    writer.bytes(tags.digest.hash, hash);
  });
}

function decodeDigest(tag: number, parent: WireReader): Digest | undefined {
  const reader = parent.message(tag);
  if (reader === undefined) return undefined;
  const size = reader.number(tags.digest.size);
  const hash = reader.bytes(tags.digest.hash);
  if (hash?.length !== hashLength) throw reader.failure('a digest has no hash of 32 bytes');
  reader.finish();
  return toDigest(toHash(hash), size);
}
