// Turns a stream into chunks in the store and a manifest of them. A chunk is gathered in memory, so that one which the
// store has already is not written again; where memory is short, or the chunk too large, its bytes go on as they come. Its
// SHA-256 is computed in the same pass. Some chunks are on their way to the disk while the next is gathered.

import { createHash, type Hash } from 'node:crypto';
import type { BlobStore } from '../base/blob-store.js';
import type { ByteBudget } from '../base/byte-budget.js';
import { assert } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Chunk } from '../chunk/chunk.js';
import { digestChunk } from '../chunk/chunk.js';
import { type Chunking, createCutter } from '../chunk/chunking.js';
import { StreamCutter } from '../chunk/cutter.js';
import { type Manifest, ManifestBuilder } from '../chunk/manifest-builder.js';
import { ChunkBuffer } from './chunk-buffer.js';
import type { ChunkSpill } from './chunk-spill.js';

export interface ChunkWriterParts {
  readonly store: Pick<BlobStore, 'stat' | 'write'>;
  readonly chunking: Chunking;
  readonly budget: ByteBudget;
  readonly openSpill: () => Promise<ChunkSpill>;
  /** Of the chunks before; empty at the start of a file. */
  readonly builder?: ManifestBuilder | undefined;
}

/** The chunk that is coming in. */
interface OpenChunk {
  readonly sha256: Hash;
  readonly buffer: ChunkBuffer;
  spill: ChunkSpill | undefined;
  size: number;
}

/** One call at a time. After a failure nothing but `discard`. */
export class ChunkWriter {
  readonly #parts: ChunkWriterParts;
  readonly #cutter: StreamCutter;
  readonly #builder: ManifestBuilder;
  readonly #writes: Promise<void>[] = [];
  #open: OpenChunk | undefined;
  /** Of a chunk that is stored: memory that is there already is cheaper than new. */
  #spare: ChunkBuffer | undefined;

  constructor(parts: ChunkWriterParts) {
    this.#parts = parts;
    this.#cutter = new StreamCutter(createCutter(parts.chunking));
    this.#builder = parts.builder ?? new ManifestBuilder(parts.store);
  }

  /** Whole chunks so far, with those before. They are durable after `settle`. */
  get builder(): ManifestBuilder {
    return this.#builder;
  }

  /** Bytes behind the last whole chunk. */
  get openBytes(): number {
    return (this.#open?.size ?? 0) + this.#cutter.rest().length;
  }

  /** Those of them from a position on, as far as they are in memory: where a chunk was spilled, its last byte at most. */
  openBytesFrom(position: number): Uint8Array[] {
    const { buffer, spill, size } = this.#open ?? { buffer: undefined, spill: undefined, size: 0 };
    assert(spill === undefined || position >= size, 'spilled bytes are not in memory');
    const rest = this.#cutter.rest().subarray(Math.max(0, position - size));
    return buffer === undefined ? [rest] : [buffer.bytes.subarray(Math.min(position, buffer.bytes.length)), rest];
  }

  /** The bytes may change when it is answered. */
  async take(bytes: Uint8Array): Promise<void> {
    for (const { bytes: piece, ends } of this.#cutter.push(bytes)) {
      await this.#gather(piece);
      if (ends) await this.#endChunk();
    }
  }

  /** Resolves when all whole chunks are durable. */
  async settle(): Promise<void> {
    await Promise.all(this.#writes);
    this.#writes.length = 0;
  }

  /** Ends the last chunk and the manifest. Resolves when all of them are durable. */
  async finish(): Promise<Manifest> {
    await this.#gather(this.#cutter.rest());
    if (this.#open !== undefined) await this.#endChunk();
    const [manifest] = await Promise.all([this.#builder.finish(), this.settle()]);
    this.#dropSpare();
    return manifest;
  }

  /** Ends what is under way. Chunks that are stored stay. */
  async discard(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    open?.buffer.release();
    await open?.spill?.discard();
    await Promise.allSettled(this.#writes);
    this.#dropSpare();
  }

  async #gather(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    this.#open ??= this.#openChunk();
    const open = this.#open;
    open.sha256.update(bytes);
    open.size += bytes.length;
    while (open.spill === undefined) {
      if (open.buffer.append(bytes)) return;
      if (this.#spare !== undefined) this.#dropSpare();
      else if (this.#writes.length > 0 && open.size <= limits.gatheredChunkBytesMax) await this.#writes.shift();
      else await this.#spill(open);
    }
    await open.spill.append(bytes);
  }

  #openChunk(): OpenChunk {
    const buffer = this.#spare ?? new ChunkBuffer(this.#parts.budget);
    this.#spare = undefined;
    return { sha256: createHash('sha256'), buffer, spill: undefined, size: 0 };
  }

  #dropSpare(): void {
    this.#spare?.release();
    this.#spare = undefined;
  }

  async #spill(open: OpenChunk): Promise<void> {
    const spill = await this.#parts.openSpill();
    open.spill = spill;
    await spill.append(open.buffer.bytes);
    open.buffer.release();
  }

  async #endChunk(): Promise<void> {
    const open = this.#open!;
    const isFull = this.#writes.length >= limits.chunkWritesUnderWayCountMax;
    if (open.spill === undefined && isFull) await this.#writes.shift();
    // From here on somebody else gives its memory back.
    this.#open = undefined;
    const digest = open.spill === undefined ? digestChunk(open.buffer.bytes) : await open.spill.finish();
    const chunk: Chunk = { digest, sha256: new Uint8Array(open.sha256.digest()) };
    if (open.spill === undefined) this.#store(chunk, open.buffer);
    await this.#builder.add(chunk);
  }

  #store({ digest }: Chunk, buffer: ChunkBuffer): void {
    const write = this.#write(digest, buffer);
    // Its failure is thrown where it is awaited; until then it must not count as unhandled.
    write.catch(() => {});
    this.#writes.push(write);
  }

  async #write(digest: Chunk['digest'], buffer: ChunkBuffer): Promise<void> {
    try {
      const [held] = await this.#parts.store.stat([digest.hash]);
      if (held === undefined) await this.#parts.store.write(buffer.bytes, { expect: digest });
    } finally {
      buffer.clear();
      this.#dropSpare();
      this.#spare = buffer;
    }
  }
}
