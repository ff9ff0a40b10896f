// A tree's nodes from a server, verified. Nodes asked for in one turn of the event loop travel in one call. A node is asked
// for by its hash alone, but its parent has told its size and what lies beside it: so it need not be looked up first, and
// whoever reads from left to right gets ever more nodes with each call.

import { type BlobHash, type Digest, formatHash, hashHex, toDigest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { NodeSource } from '../tree/node-source.js';
import { decodeNode, type TreeNode, type TreePart } from '../tree/tree-node.js';
import type { CairnClient } from './cairn-client.js';

interface Question {
  readonly hash: BlobHash;
  /** Undefined where nobody has told it. */
  readonly size: number | undefined;
  resolve(bytes: Uint8Array | undefined): void;
  reject(error: unknown): void;
}

/** Where a node lies that a branch named. */
interface Place {
  readonly siblings: readonly TreePart[];
  readonly index: number;
  /** Levels below the root. */
  readonly depth: number;
}

/** How a reader moves along one level. */
interface Pace {
  /** The node that follows those fetched last; undefined when that is the first child of another branch. */
  readonly next: string | undefined;
  /** Nodes fetched last. */
  readonly count: number;
}

/**
 * Nodes by hash; undefined when the server has no such blob. `corrupt` when it sends other bytes, `invalid_argument` when
 * the blob is larger than any node. May be called concurrently.
 */
export function treeSource(client: CairnClient, signal?: AbortSignal): NodeSource {
  const nodes = new RemoteNodes(client, signal);
  return (hash) => nodes.read(hash);
}

class RemoteNodes {
  /** Nodes that were named and not asked for yet. Forgetting one costs a question later. */
  readonly #places = new Map<string, Place>();
  readonly #paces: Pace[] = [];
  /** Nodes fetched before they were asked for, the oldest first. */
  readonly #ahead = new Map<string, Promise<Uint8Array | undefined>>();
  #asked: Question[] = [];

  constructor(
    private readonly client: CairnClient,
    private readonly signal: AbortSignal | undefined,
  ) {}

  read(hash: BlobHash): Promise<Uint8Array | undefined> {
    const name = hashHex(hash);
    const fetched = this.#ahead.get(name);
    if (fetched !== undefined) {
      this.#ahead.delete(name);
      return fetched;
    }
    const place = this.#places.get(name);
    if (place === undefined) return this.#fetch(hash, undefined, 0);
    const [, ...following] = this.#run(name, place);
    const node = this.#fetchNamed(place, place.siblings[place.index]!);
    for (const part of following) {
      const bytes = this.#fetchNamed(place, part);
      // Perhaps nobody ever asks for it.
      bytes.catch(() => {});
      this.#ahead.set(hashHex(part.node.hash), bytes);
      if (this.#ahead.size > limits.treeNodesFetchedCountMax) this.#ahead.delete(this.#ahead.keys().next().value!);
    }
    return node;
  }

  /** A node with those to fetch along: twice as many as last time when the reader comes from right before it. */
  #run(name: string, { siblings, index, depth }: Place): readonly TreePart[] {
    const pace = this.#paces[depth];
    const inRow = pace !== undefined && (pace.next === name || (pace.next === undefined && index === 0));
    const count = inRow ? Math.min(2 * pace.count, limits.treeNodesAheadCountMax) : 1;
    const run = siblings.slice(index, index + count);
    const after = siblings[index + run.length];
    this.#paces[depth] = { next: after && hashHex(after.node.hash), count };
    return run;
  }

  #fetchNamed({ depth }: Place, { node }: TreePart): Promise<Uint8Array | undefined> {
    this.#places.delete(hashHex(node.hash));
    return this.#fetch(node.hash, node.size, depth);
  }

  async #fetch(hash: BlobHash, size: number | undefined, depth: number): Promise<Uint8Array | undefined> {
    const bytes = await new Promise<Uint8Array | undefined>((resolve, reject) => {
      if (this.#asked.length === 0) setImmediate(() => void this.#ask());
      this.#asked.push({ hash, size, resolve, reject });
    });
    if (bytes !== undefined) this.#learn(bytes, depth + 1);
    return bytes;
  }

  async #ask(): Promise<void> {
    const questions = this.#asked;
    this.#asked = [];
    try {
      const sizes = await this.#sizesOf(questions);
      const wanted: { readonly question: Question; readonly digest: Digest }[] = [];
      for (const [i, question] of questions.entries()) {
        const size = sizes[i];
        if (size === undefined) question.resolve(undefined);
        else if (size <= limits.treeNodeBytesMax) wanted.push({ question, digest: toDigest(question.hash, size) });
        else question.reject(tooLarge(question.hash, size));
      }
      const digests = wanted.map(({ digest }) => digest);
      const nodes = await this.client.readBatch(digests, { signal: this.signal });
      for (const [i, { question }] of wanted.entries()) question.resolve(nodes[i]);
    } catch (error) {
      // Those that were answered do not hear of it.
      for (const { reject } of questions) reject(error);
    }
  }

  async #sizesOf(questions: readonly Question[]): Promise<(number | undefined)[]> {
    const unknown = questions.filter(({ size }) => size === undefined).map(({ hash }) => hash);
    if (unknown.length === 0) return questions.map(({ size }) => size);
    const stats = (await this.client.stat(unknown, { signal: this.signal })).values();
    return questions.map(({ size }) => size ?? stats.next().value?.size);
  }

  /** What a branch says of its children. Whether it may say so is for the reader to check. */
  #learn(bytes: Uint8Array, depth: number): void {
    if (bytes[0] !== partTag) return;
    let node: TreeNode;
    try {
      node = decodeNode(bytes);
    } catch (error) {
      if (error instanceof CairnError) return;
      throw error;
    }
    if (node.kind === 'leaf') return;
    if (this.#places.size > limits.treePlacesKeptCountMax) this.#places.clear();
    for (const [index, { node: child }] of node.parts.entries()) {
      this.#places.set(hashHex(child.hash), { siblings: node.parts, index, depth });
    }
  }
}

/** The first byte of a branch: of the field `parts`. */
const partTag = 0x12;

function tooLarge(hash: BlobHash, size: number): CairnError {
  return new CairnError('invalid_argument', `${formatHash(hash)} is no tree: ${size} bytes are more than a node has`);
}
