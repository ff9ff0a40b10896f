// Random directory trees, and a place to keep their nodes.

import { type BlobHash, type Digest, hashHex, toDigest } from '../../src/base/digest.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import { buildTree, type TreeRoot } from '../../src/tree/build-tree.js';
import { comparePaths, type FileItem, type TreeItem } from '../../src/tree/tree-item.js';
import { encodeNode, type TreeNode, type TreePart } from '../../src/tree/tree-node.js';
import type { SeededRandom } from './random.js';

/** Nodes by hash; counts what is asked of it. */
export class NodeShelf {
  readonly nodes = new Map<string, Uint8Array>();
  /** Hashes in hex, in the order in which they were asked for. */
  reads: string[] = [];
  /** Nodes in the order in which they were stored. */
  stored: Digest[] = [];

  readonly store = (node: Digest, bytes: Uint8Array): void => {
    this.nodes.set(hashHex(node.hash), bytes);
    this.stored.push(node);
  };

  readonly source = async (hash: BlobHash): Promise<Uint8Array | undefined> => {
    this.reads.push(hashHex(hash));
    return this.nodes.get(hashHex(hash));
  };

  build(items: Iterable<TreeItem>): Promise<TreeRoot> {
    return buildTree(items, this.store);
  }

  /** Keeps a node made by hand. */
  keep(node: TreeNode): Digest {
    const bytes = encodeNode(node);
    const digest = digestBlob(bytes);
    this.store(digest, bytes);
    return digest;
  }

  /** Keeps a node made by hand, and says of it what is true, save for what is given. */
  keepPart(node: TreeNode, lies: Partial<TreePart> = {}): TreePart {
    const under = node.kind === 'leaf' ? node.items : node.parts;
    const first = under[0];
    return {
      node: this.keep(node),
      firstPath: first === undefined ? '' : 'firstPath' in first ? first.firstPath : first.path,
      itemCount: node.kind === 'leaf' ? node.items.length : sum(node.parts.map((part) => part.itemCount)),
      fileBytes: node.kind === 'leaf' ? sum(node.items.map(fileSize)) : sum(node.parts.map((part) => part.fileBytes)),
      ...lies,
    };
  }
}

export function file(path: string, content: string | number = path): FileItem {
  const digest = digestBlob(new TextEncoder().encode(String(content)));
  return { kind: 'file', path, digest, executable: false, readonly: false };
}

export function link(path: string, target: string): TreeItem {
  return { kind: 'symlink', path, target };
}

export function emptyDirectory(path: string): TreeItem {
  return { kind: 'directory', path };
}

export function leaf(...items: readonly TreeItem[]): TreeNode {
  return { kind: 'leaf', items };
}

export function branch(...parts: readonly TreePart[]): TreeNode {
  return { kind: 'branch', parts };
}

export function fileSize(item: TreeItem): number {
  return item.kind === 'file' ? item.digest.size : 0;
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

export function sorted(items: Iterable<TreeItem>): TreeItem[] {
  return [...items].sort((a, b) => comparePaths(a.path, b.path));
}

export async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const gathered: T[] = [];
  for await (const value of values) gathered.push(value);
  return gathered;
}

/** Letters that sort around the slash, that UTF-16 sorts otherwise than UTF-8, that tools like to trip over. */
const oddNames = [
  'a',
  'b',
  'a-b',
  'a b',
  'a!',
  'a0',
  '..a',
  '...',
  '-',
  '\\',
  '\n',
  'é',
  'e\u0301',
  '\ufeffx',
  '\uffff',
  '𝒳',
  '🙂',
  'A',
  '~',
];

/** So many entries or fewer, in order, that may stand in one tree: deep and shallow, of all kinds, with odd names. */
export function randomItems(random: SeededRandom, count: number): TreeItem[] {
  const items = new Map<string, TreeItem>();
  const directories = new Set<string>();
  for (let i = 0; i < count; i++) {
    const names = Array.from({ length: 1 + random.below(6) }, () => randomName(random, count));
    const parents = names.slice(0, -1).map((_, depth) => names.slice(0, depth + 1).join('/'));
    const path = names.join('/');
    if (items.has(path) || directories.has(path) || parents.some((parent) => items.has(parent))) continue;
    for (const parent of parents) directories.add(parent);
    items.set(path, randomItem(random, path));
  }
  return sorted(items.values());
}

function randomName(random: SeededRandom, spread: number): string {
  const odd = random.pick(oddNames);
  return random.chance(1 / 3) ? odd : `${odd}${random.below(spread)}`;
}

/** Any entry for a path; contents repeat. */
export function randomItem(random: SeededRandom, path: string): TreeItem {
  const kind = random.below(10);
  if (kind === 0) return emptyDirectory(path);
  if (kind === 1) return link(path, `${'../'.repeat(random.below(path.split('/').length))}x${random.below(9)}`);
  const hash = digestBlob(Uint8Array.of(random.below(256))).hash;
  const digest = toDigest(hash, 2 ** random.below(40) - 1);
  return { kind: 'file', path, digest, executable: random.chance(0.5), readonly: random.chance(0.5) };
}

/** A plain tree of a software project: so many small files. */
export function projectItems(count: number): TreeItem[] {
  const items = Array.from({ length: count }, (_, i) => {
    const directory = `node_modules/package-${Math.floor(i / 60)}/dist/lib-${Math.floor((i % 60) / 12)}`;
    return file(`${directory}/module-${i}.js`, i);
  });
  return sorted(items);
}
