// The bytes of a manifest's nodes (docs/FORMATS.md, "Manifests"). Leaves list chunks; branches list nodes of the level
// below, with what lies in all of each. There is one encoding for a list of chunks: every node but the last of its level
// has `manifestRowsCountMax` rows. `decodeManifestNode` takes only what `encodeManifestNode` writes; whether a child is
// what its parent says, the reader checks.

import { type BlobHash, hashLength, toDigest, toHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Chunk } from './chunk.js';

/** A child of a branch. */
export interface ManifestPart {
  readonly node: BlobHash;
  /** Bytes of the file below it. */
  readonly bytes: number;
  /** Chunks below it. */
  readonly chunkCount: number;
}

export type ManifestNode = { readonly bytes: number; readonly chunkCount: number } & (
  | { readonly level: 0; readonly chunks: readonly Chunk[] }
  | { readonly level: number; readonly parts: readonly ManifestPart[] }
);

/** `CMAN` when read as text. */
const magic = 0x4e414d43;
const version = 1;
const headBytes = 24;
const chunkRowBytes = 2 * hashLength + 8;
const partRowBytes = hashLength + 16;

export function encodeLeaf(chunks: readonly Chunk[]): Uint8Array {
  const writer = new NodeWriter(0, chunks.length, chunkRowBytes);
  for (const { digest, sha256 } of chunks) {
    writer.bytes(digest.hash);
    writer.bytes(sha256);
    writer.number(digest.size);
  }
  return writer.finish(
    sumOf(chunks, ({ digest }) => digest.size),
    chunks.length,
  );
}

/** Level 1 and up. */
export function encodeBranch(level: number, parts: readonly ManifestPart[]): Uint8Array {
  const writer = new NodeWriter(level, parts.length, partRowBytes);
  for (const { node, bytes, chunkCount } of parts) {
    writer.bytes(node);
    writer.number(bytes);
    writer.number(chunkCount);
  }
  return writer.finish(
    sumOf(parts, (part) => part.bytes),
    sumOf(parts, (part) => part.chunkCount),
  );
}

export function sumOf<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0);
}

/** `corrupt` unless the bytes are one of the encodings. The hashes lie in the same memory. */
export function decodeManifestNode(source: Uint8Array): ManifestNode {
  const reader = new NodeReader(source);
  const { level, rows } = reader;
  const bytes = reader.number(8);
  const chunkCount = reader.number(16);
  const node: ManifestNode =
    level === 0
      ? { level: 0, bytes, chunkCount, chunks: Array.from({ length: rows }, (_, row) => reader.chunk(row)) }
      : { level, bytes, chunkCount, parts: Array.from({ length: rows }, (_, row) => reader.part(row)) };
  if (bytes !== bytesOf(node) || chunkCount !== countOf(node)) throw reader.failure('its sums are wrong');
  if (!isFilled(node)) throw reader.failure('its children are not filled in order');
  return node;
}

/** All children but the last hold as much as they can. */
function isFilled(node: ManifestNode): boolean {
  if ('chunks' in node) return true;
  const full = limits.manifestRowsCountMax ** node.level;
  const last = node.parts.at(-1)!.chunkCount;
  return node.parts.slice(0, -1).every((part) => part.chunkCount === full) && last >= 1 && last <= full;
}

function bytesOf(node: ManifestNode): number {
  return 'chunks' in node ? sumOf(node.chunks, ({ digest }) => digest.size) : sumOf(node.parts, (part) => part.bytes);
}

function countOf(node: ManifestNode): number {
  return 'chunks' in node ? node.chunks.length : sumOf(node.parts, (part) => part.chunkCount);
}

class NodeWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = headBytes;

  constructor(level: number, rows: number, rowBytes: number) {
    this.#bytes = new Uint8Array(headBytes + rows * rowBytes);
    this.#view = new DataView(this.#bytes.buffer);
    this.#view.setUint32(0, magic, true);
    this.#view.setUint8(4, version);
    this.#view.setUint8(5, level);
    this.#view.setUint16(6, rows, true);
  }

  bytes(value: Uint8Array): void {
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  number(value: number): void {
    this.#put(this.#at, value);
    this.#at += 8;
  }

  finish(bytes: number, chunkCount: number): Uint8Array {
    this.#put(8, bytes);
    this.#put(16, chunkCount);
    return this.#bytes;
  }

  #put(at: number, value: number): void {
    this.#view.setUint32(at, value % 2 ** 32, true);
    this.#view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
  }
}

class NodeReader {
  readonly level: number;
  readonly rows: number;
  readonly #source: Uint8Array;
  readonly #view: DataView;

  constructor(source: Uint8Array) {
    this.#source = source;
    this.#view = new DataView(source.buffer, source.byteOffset, source.length);
    if (source.length < headBytes || this.#view.getUint32(0, true) !== magic) throw this.failure('its head is missing');
    if (this.#view.getUint8(4) !== version) throw this.failure(`version ${this.#view.getUint8(4)} is unknown`);
    this.level = this.#view.getUint8(5);
    this.rows = this.#view.getUint16(6, true);
    const rowBytes = this.level === 0 ? chunkRowBytes : partRowBytes;
    if (this.rows > limits.manifestRowsCountMax || this.level >= limits.manifestHeightMax) {
      throw this.failure('it is too large');
    }
    if (source.length !== headBytes + this.rows * rowBytes) throw this.failure('its length is wrong');
    if (this.level > 0 && this.rows === 0) throw this.failure('a branch has no children');
  }

  chunk(row: number): Chunk {
    const at = headBytes + row * chunkRowBytes;
    const size = this.number(at + 2 * hashLength);
    if (size === 0) throw this.failure('a chunk is empty');
    const digest = toDigest(toHash(this.#source.subarray(at, at + hashLength)), size);
    return { digest, sha256: this.#source.subarray(at + hashLength, at + 2 * hashLength) };
  }

  part(row: number): ManifestPart {
    const at = headBytes + row * partRowBytes;
    const node = toHash(this.#source.subarray(at, at + hashLength));
    return { node, bytes: this.number(at + hashLength), chunkCount: this.number(at + hashLength + 8) };
  }

  number(at: number): number {
    const value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32;
    if (!Number.isSafeInteger(value)) throw this.failure('a number is too large');
    return value;
  }

  failure(reason: string): CairnError {
    return new CairnError('corrupt', `not a node of a manifest: ${reason}`);
  }
}
