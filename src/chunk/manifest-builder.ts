// Builds a manifest from its chunks in order, bottom-up, holding one open node for each level. A node is stored as soon as
// it is full, so that what is held does not grow with the file; the open ones can be put aside and taken up again.

import type { BlobStore } from '../base/blob-store.js';
import type { BlobHash } from '../base/digest.js';
import { assert, CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { digestBlob } from '../blake3/hasher.js';
import type { Chunk } from './chunk.js';
import { decodeManifestNode, encodeBranch, encodeLeaf, type ManifestPart, sumOf } from './manifest-node.js';

export interface Manifest {
  /** The root's blob. */
  readonly root: BlobHash;
  readonly bytes: number;
  readonly chunkCount: number;
}

export class ManifestBuilder {
  readonly #store: Pick<BlobStore, 'write'>;
  #chunks: Chunk[] = [];
  /** Levels from 1 on. */
  #branches: ManifestPart[][] = [];

  constructor(store: Pick<BlobStore, 'write'>) {
    this.#store = store;
  }

  get bytes(): number {
    const whole = this.#branches.flat();
    return sumOf(whole, (part) => part.bytes) + sumOf(this.#chunks, ({ digest }) => digest.size);
  }

  /** Resolves when what it stored, if anything, is durable. One call at a time. */
  async add(chunk: Chunk): Promise<void> {
    this.#chunks.push(chunk);
    if (this.#chunks.length > limits.manifestRowsCountMax) {
      const full = this.#chunks.splice(0, limits.manifestRowsCountMax);
      await this.#addPart(1, await this.#storeLeaf(full));
    }
  }

  async #addPart(level: number, part: ManifestPart): Promise<void> {
    if (level >= limits.manifestHeightMax) throw new CairnError('too_large', 'the file has too many chunks');
    this.#branches[level - 1] ??= [];
    const open = this.#branches[level - 1]!;
    open.push(part);
    if (open.length > limits.manifestRowsCountMax) {
      const full = open.splice(0, limits.manifestRowsCountMax);
      await this.#addPart(level + 1, await this.#storeBranch(level, full));
    }
  }

  /** Stores the rest. No chunk can follow. */
  async finish(): Promise<Manifest> {
    let last = await this.#storeLeaf(this.#chunks);
    for (let level = 1; level <= this.#branches.length; level++) {
      await this.#addPart(level, last);
      last = await this.#storeBranch(level, this.#branches[level - 1]!);
    }
    const { node, bytes, chunkCount } = last;
    return { root: node, bytes, chunkCount };
  }

  /** What is not stored yet, as bytes; at most a node for each level, each with its length in front. */
  save(): Uint8Array {
    const nodes = [encodeLeaf(this.#chunks)];
    for (const [i, parts] of this.#branches.entries()) nodes.push(encodeBranch(i + 1, parts));
    const saved = new Uint8Array(sumOf(nodes, (node) => 4 + node.length));
    const view = new DataView(saved.buffer);
    let at = 0;
    for (const node of nodes) {
      view.setUint32(at, node.length, true);
      saved.set(node, at + 4);
      at += 4 + node.length;
    }
    return saved;
  }

  /** Goes on from what `save` gave. `corrupt` when it is something else. */
  static restore(store: Pick<BlobStore, 'write'>, saved: Uint8Array): ManifestBuilder {
    const builder = new ManifestBuilder(store);
    const view = new DataView(saved.buffer, saved.byteOffset, saved.length);
    for (let at = 0, level = 0; at < saved.length; level++) {
      const end = at + 4 + (at + 4 <= saved.length ? view.getUint32(at, true) : 0);
      const node = decodeManifestNode(saved.slice(at + 4, end));
      if (end > saved.length || node.level !== level) throw new CairnError('corrupt', 'not the start of a manifest');
      if ('chunks' in node) builder.#chunks = [...node.chunks];
      else builder.#branches.push([...node.parts]);
      at = end;
    }
    return builder;
  }

  async #storeLeaf(chunks: readonly Chunk[]): Promise<ManifestPart> {
    return this.#storeNode(
      encodeLeaf(chunks),
      sumOf(chunks, ({ digest }) => digest.size),
      chunks.length,
    );
  }

  async #storeBranch(level: number, parts: readonly ManifestPart[]): Promise<ManifestPart> {
    const bytes = sumOf(parts, (part) => part.bytes);
    return this.#storeNode(
      encodeBranch(level, parts),
      bytes,
      sumOf(parts, (part) => part.chunkCount),
    );
  }

  async #storeNode(encoded: Uint8Array, bytes: number, chunkCount: number): Promise<ManifestPart> {
    assert(encoded.length <= limits.manifestNodeBytesMax, 'a node has at most so many rows');
    const digest = digestBlob(encoded);
    await this.#store.write(encoded, { expect: digest });
    return { node: digest.hash, bytes, chunkCount };
  }
}
