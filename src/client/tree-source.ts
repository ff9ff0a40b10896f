// A tree's nodes from a server, verified. Nodes asked for in one turn of the event loop travel in one call. A node is asked
// for by its hash alone; its size is known from its parent, or else asked first.

import { type BlobHash, type Digest, formatHash, hashHex, toDigest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { NodeSource } from '../tree/node-source.js';
import { decodeNode } from '../tree/tree-node.js';
import type { CairnClient } from './cairn-client.js';

interface Question {
  readonly hash: BlobHash;
  resolve(bytes: Uint8Array | undefined): void;
  reject(error: unknown): void;
}

/**
 * Nodes by hash; undefined when the server has no such blob. `corrupt` when it sends other bytes, `invalid_argument` when
 * the blob is larger than any node.
 */
export function treeSource(client: CairnClient, signal?: AbortSignal): NodeSource {
  const nodes = new RemoteNodes(client, signal);
  return (hash) => nodes.read(hash);
}

class RemoteNodes {
  /** Sizes of nodes that a branch named and that were not read yet. */
  readonly #sizes = new Map<string, number>();
  #asked: Question[] = [];

  constructor(
    private readonly client: CairnClient,
    private readonly signal: AbortSignal | undefined,
  ) {}

  read(hash: BlobHash): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#asked.length === 0) setImmediate(() => void this.#ask());
      this.#asked.push({ hash, resolve, reject });
    });
  }

  async #ask(): Promise<void> {
    const questions = this.#asked;
    this.#asked = [];
    try {
      const sizes = await this.#sizesOf(questions.map(({ hash }) => hash));
      const wanted: { readonly question: Question; readonly digest: Digest }[] = [];
      for (const [i, question] of questions.entries()) {
        const size = sizes[i];
        if (size === undefined) question.resolve(undefined);
        else if (size <= limits.treeNodeBytesMax) wanted.push({ question, digest: toDigest(question.hash, size) });
        else question.reject(tooLarge(question.hash, size));
      }
      const nodes = await this.client.readBatch(
        wanted.map(({ digest }) => digest),
        { signal: this.signal },
      );
      for (const bytes of nodes) if (bytes !== undefined) this.#learnSizes(bytes);
      for (const [i, { question }] of wanted.entries()) question.resolve(nodes[i]);
    } catch (error) {
      // Those that were answered do not hear of it.
      for (const { reject } of questions) reject(error);
    }
  }

  async #sizesOf(hashes: readonly BlobHash[]): Promise<(number | undefined)[]> {
    const sizes = hashes.map((hash) => this.#takeSize(hashHex(hash)));
    const unknown = hashes.filter((_, i) => sizes[i] === undefined);
    if (unknown.length === 0) return sizes;
    const stats = (await this.client.stat(unknown, { signal: this.signal })).values();
    return sizes.map((size) => size ?? stats.next().value?.size);
  }

  #takeSize(name: string): number | undefined {
    const size = this.#sizes.get(name);
    this.#sizes.delete(name);
    return size;
  }

  /** What a branch says of its children. Whether it may say so is for the reader to check. */
  #learnSizes(bytes: Uint8Array): void {
    if (bytes[0] !== partTag) return;
    try {
      const node = decodeNode(bytes);
      if (node.kind === 'leaf') return;
      // Forgetting costs a question later.
      if (this.#sizes.size > limits.treeSizesKeptCountMax) this.#sizes.clear();
      for (const part of node.parts) this.#sizes.set(hashHex(part.node.hash), part.node.size);
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
    }
  }
}

/** The first byte of a branch: of the field `parts`. */
const partTag = 0x12;

function tooLarge(hash: BlobHash, size: number): CairnError {
  return new CairnError('invalid_argument', `${formatHash(hash)} is no tree: ${size} bytes are more than a node has`);
}
