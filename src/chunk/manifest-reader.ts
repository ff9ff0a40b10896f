// Reads a manifest from a store: the chunks of a range of bytes, or those from a number on. Only the nodes on the way are
// read, each checked against its parent; what does not fit, or is gone, is `corrupt`: a file that cannot be read as it was
// written is damaged, whoever did it.

import type { BlobStore } from '../base/blob-store.js';
import { type BlobHash, formatHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { ByteRange } from '../base/range.js';
import type { Chunk } from './chunk.js';
import type { Manifest } from './manifest-builder.js';
import { decodeManifestNode, type ManifestNode } from './manifest-node.js';

export interface PlacedChunk extends Chunk {
  /** From 0. */
  readonly index: number;
  /** Where the chunk begins in the file. */
  readonly offset: number;
}

/** Where a part of the manifest begins. */
interface Position {
  readonly index: number;
  readonly offset: number;
}

const start: Position = { index: 0, offset: 0 };

export class ManifestReader {
  readonly #store: Pick<BlobStore, 'open'>;
  readonly #manifest: Manifest;

  /** Nothing is read yet. */
  constructor(store: Pick<BlobStore, 'open'>, manifest: Manifest) {
    this.#store = store;
    this.#manifest = manifest;
  }

  /** Chunks that hold some byte of the range, in order. */
  chunksIn(range: ByteRange): AsyncGenerator<PlacedChunk> {
    if (range.start >= range.end) return none();
    return this.#below(
      this.#manifest,
      start,
      undefined,
      ({ offset }, bytes) => offset < range.end && offset + bytes > range.start,
    );
  }

  /** Chunks from this number on. */
  chunksFrom(index: number): AsyncGenerator<PlacedChunk> {
    return this.#below(this.#manifest, start, undefined, (at, _bytes, count) => at.index + count > index);
  }

  /** What lies in a node and is wanted; a node in which nothing is wanted is not read. */
  async *#below(
    { root, bytes, chunkCount }: Manifest,
    position: Position,
    level: number | undefined,
    wants: (at: Position, bytes: number, chunkCount: number) => boolean,
  ): AsyncGenerator<PlacedChunk> {
    const node = await this.#load(root);
    if (node.bytes !== bytes || node.chunkCount !== chunkCount || (level ?? node.level) !== node.level) {
      throw new CairnError('corrupt', `${formatHash(root)} is another node than its parent says`);
    }
    if (level === undefined && 'parts' in node && node.parts.length < 2) {
      throw new CairnError('corrupt', `${formatHash(root)} is a root above a root`);
    }
    let { index, offset } = position;
    if ('chunks' in node) {
      for (const chunk of node.chunks) {
        if (wants({ index, offset }, chunk.digest.size, 1)) yield { ...chunk, index, offset };
        index += 1;
        offset += chunk.digest.size;
      }
      return;
    }
    for (const part of node.parts) {
      if (wants({ index, offset }, part.bytes, part.chunkCount)) {
        const child = { root: part.node, bytes: part.bytes, chunkCount: part.chunkCount };
        yield* this.#below(child, { index, offset }, node.level - 1, wants);
      }
      index += part.chunkCount;
      offset += part.bytes;
    }
  }

  async #load(hash: BlobHash): Promise<ManifestNode> {
    const handle = await this.#store.open(hash);
    if (handle === undefined) throw new CairnError('corrupt', `${formatHash(hash)}, a node of a manifest, is missing`);
    try {
      const { size } = handle.digest;
      if (size > limits.manifestNodeBytesMax) {
        throw new CairnError('corrupt', `${formatHash(hash)} has ${size} bytes, too many for a node of a manifest`);
      }
      return decodeManifestNode(await handle.read({ start: 0, end: size }));
    } finally {
      await handle.close();
    }
  }
}

async function* none(): AsyncGenerator<PlacedChunk> {}
