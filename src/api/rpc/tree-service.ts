// cairn.v1.TreeService: what stored directory trees hold, how two of them differ, and whether one is complete. Pages go on
// after a path, so they cost the same wherever they begin.

import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { type Digest, digestKey, hashesEqual, hashHex, toHash } from '../../base/digest.js';
import { limits } from '../../base/limits.js';
import {
  type CheckTreeRequest,
  type DiffTreesRequest,
  type ListTreeRequest,
  type StatTreeRequest,
  TreeService,
} from '../../gen/cairn/v1/tree_service_pb.js';
import { diffTrees } from '../../tree/diff-trees.js';
import { checkPath, type TreeItem } from '../../tree/tree-item.js';
import { TreeReader } from '../../tree/tree-reader.js';
import { missingTreeBlobs } from '../missing-tree-blobs.js';
import { callNodes } from '../tree-nodes.js';
import { answersInJson } from './batch-call.js';
import { toDigestMessage } from './digest-message.js';
import { pageCount } from './page-count.js';
import { decodePageToken, encodePageToken } from './page-token.js';
import type { RpcParts } from './rpc-parts.js';
import { itemMessageBytes, toItemMessage } from './tree-item-message.js';

type Parts = Pick<RpcParts, 'store' | 'completeTrees'>;

export function treeService(parts: Parts): ServiceImpl<typeof TreeService> {
  return {
    statTree: (request, { signal }) => statTree(parts, request, signal),
    listTree: (request, context) => listTree(parts, request, context),
    diffTrees: (request, context) => listChanges(parts, request, context),
    checkTree: (request, { signal }) => checkTree(parts, request, signal),
  };
}

async function statTree({ store }: Parts, { tree }: StatTreeRequest, signal: AbortSignal) {
  const { itemCount, fileBytes } = await TreeReader.open(callNodes(store, signal), toHash(tree));
  return { itemCount: BigInt(itemCount), fileBytes: BigInt(fileBytes) };
}

async function listTree({ store }: Parts, request: ListTreeRequest, context: HandlerContext) {
  const { path } = request;
  const root = toHash(request.tree);
  if (path !== '') checkPath(path);
  const list = listName('ListTree', hashHex(root), path);
  const count = pageCount(request.pageSize);
  const after = positionOf(list, request.pageToken);
  const reader = await TreeReader.open(callNodes(store, context.signal), root);
  const json = answersInJson(context);
  const page = await takePage(reader.items({ path, after }), count, (item) => itemMessageBytes(item, json));
  return {
    items: page.entries.map(toItemMessage),
    nextPageToken: nextToken(list, page, ({ path: last }) => last),
    totalCount: BigInt(reader.itemCount),
  };
}

async function listChanges({ store }: Parts, request: DiffTreesRequest, context: HandlerContext) {
  const [before, after] = [toHash(request.oldTree), toHash(request.newTree)];
  const list = listName('DiffTrees', hashHex(before), hashHex(after));
  const count = pageCount(request.pageSize);
  const from = positionOf(list, request.pageToken);
  const json = answersInJson(context);
  const bytesOf = (item: TreeItem | undefined) => (item === undefined ? 0 : itemMessageBytes(item, json));
  const nodes = callNodes(store, context.signal);
  // A tree does not differ from itself, but has to be there.
  if (hashesEqual(before, after)) await TreeReader.open(nodes, before);
  const changes = diffTrees(nodes, before, after, from);
  const page = await takePage(changes, count, (change) => bytesOf(change.before) + bytesOf(change.after));
  return {
    changes: page.entries.map((change) => ({
      ...(change.before && { oldItem: toItemMessage(change.before) }),
      ...(change.after && { newItem: toItemMessage(change.after) }),
    })),
    nextPageToken: nextToken(list, page, (last) => (last.before ?? last.after)!.path),
  };
}

async function checkTree({ store, completeTrees }: Parts, { tree }: CheckTreeRequest, signal: AbortSignal) {
  const root = toHash(tree);
  const missing = new Map<string, Digest>();
  const look = async () => {
    for await (const digest of missingTreeBlobs(store, root, signal)) {
      missing.set(digestKey(digest), digest);
      if (missing.size === limits.treeMissingCountMax) break;
    }
    return missing.size === 0;
  };
  const complete = await (completeTrees === undefined ? look() : completeTrees.isComplete(root, look));
  return { complete, missing: [...missing.values()].map(toDigestMessage) };
}

interface Page<T> {
  readonly entries: readonly T[];
  /** Whether there are more after these. */
  readonly goesOn: boolean;
}

/** What an answer holds besides its entries: counts, and a token of the longest path. */
const answerRestBytes = 8 * 1024;

/** So many entries, or fewer that fill an answer; one at least, if there is any. */
async function takePage<T>(entries: AsyncIterable<T>, count: number, bytesOf: (entry: T) => number): Promise<Page<T>> {
  const taken: T[] = [];
  let freeBytes = limits.answerBytesMax - answerRestBytes;
  for await (const entry of entries) {
    freeBytes -= bytesOf(entry);
    if (taken.length === count || (freeBytes < 0 && taken.length > 0)) return { entries: taken, goesOn: true };
    taken.push(entry);
  }
  return { entries: taken, goesOn: false };
}

/** Of one list alone: its pages' tokens are foreign to every other. */
function listName(method: string, ...of: readonly string[]): string {
  return JSON.stringify([TreeService.typeName, method, ...of]);
}

/** The path that the page begins after. */
function positionOf(list: string, pageToken: string): string | undefined {
  return pageToken === '' ? undefined : Buffer.from(decodePageToken(list, pageToken)).toString();
}

function nextToken<T>(list: string, { entries, goesOn }: Page<T>, pathOf: (last: T) => string): string {
  const last = entries.at(-1);
  return goesOn && last !== undefined ? encodePageToken(list, Buffer.from(pathOf(last))) : '';
}
