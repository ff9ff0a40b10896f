// Trees made of what a test says, on a server, without going through files.

import { type Digest, hashHex } from '../../src/base/digest.js';
import { digestBlob } from '../../src/blake3/hasher.js';
import type { CairnClient } from '../../src/client/cairn-client.js';
import { buildTree } from '../../src/tree/build-tree.js';
import { comparePaths, type TreeItem } from '../../src/tree/tree-item.js';
import { encodeNode, type TreeNode } from '../../src/tree/tree-node.js';

/** A file by its content, a link by its target, an empty directory. */
export type TestEntry =
  | string
  | Uint8Array
  | { readonly content: string | Uint8Array; readonly executable?: boolean; readonly readonly?: boolean }
  | { readonly link: string }
  | { readonly directory: true };

export type TestTree = Readonly<Record<string, TestEntry>>;

interface Made {
  readonly item: TreeItem;
  readonly bytes: Uint8Array | undefined;
}

/** The entry as a tree has it, and its bytes. Nothing is checked. */
export function makeItem(path: string, entry: TestEntry): Made {
  if (typeof entry === 'string' || entry instanceof Uint8Array) return makeItem(path, { content: entry });
  if ('link' in entry) return { item: { kind: 'symlink', path, target: entry.link }, bytes: undefined };
  if ('directory' in entry) return { item: { kind: 'directory', path }, bytes: undefined };
  const { content, executable = false, readonly = false } = entry;
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return { item: { kind: 'file', path, digest: digestBlob(bytes), executable, readonly }, bytes };
}

async function put(client: CairnClient, blobs: readonly { digest: Digest; bytes: Uint8Array }[]): Promise<void> {
  await client.putMany(blobs.map(({ digest, bytes }) => ({ digest, open: () => bytes })));
}

/** Stores a tree with all its files; answers the digest of its root as 64 hex digits. */
export async function uploadTree(client: CairnClient, tree: TestTree): Promise<string> {
  const made = Object.entries(tree).map(([path, entry]) => makeItem(path, entry));
  const blobs = made.flatMap(({ item, bytes }) =>
    item.kind === 'file' ? [{ digest: item.digest, bytes: bytes! }] : [],
  );
  const items = made.map(({ item }) => item).sort((a, b) => comparePaths(a.path, b.path));
  const root = await buildTree(items, (digest, bytes) => void blobs.push({ digest, bytes }));
  await put(client, blobs);
  return hashHex(root.digest.hash);
}

/** Stores one node just as it is given, and the files of its entries; answers the node's digest. */
export async function uploadNode(
  client: CairnClient,
  node: TreeNode | readonly (readonly [string, TestEntry])[],
): Promise<Digest> {
  const blobs: { digest: Digest; bytes: Uint8Array }[] = [];
  let encoded: Uint8Array;
  if ('kind' in node) encoded = encodeNode(node);
  else {
    const made = node.map(([path, entry]) => makeItem(path, entry));
    for (const { item, bytes } of made) if (item.kind === 'file') blobs.push({ digest: item.digest, bytes: bytes! });
    encoded = encodeNode({ kind: 'leaf', items: made.map(({ item }) => item) });
  }
  const digest = digestBlob(encoded);
  await put(client, [...blobs, { digest, bytes: encoded }]);
  return digest;
}
