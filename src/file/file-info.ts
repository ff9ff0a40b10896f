// What the faces are told of files. Times are milliseconds since the Unix epoch.

import type { BlobHash } from '../base/digest.js';
import type { PlacedChunk } from '../chunk/manifest-reader.js';

/** One version of a file; unless another was asked for, the latest. */
export interface FileInfo {
  /** `f_` and 16 hex digits. Names the file for all its life, whatever its versions. */
  readonly fileId: string;
  readonly name: string;
  /** From 1. */
  readonly version: number;
  /** Bytes. */
  readonly size: number;
  readonly chunkCount: number;
  /** As the upload said it; undefined when it said nothing. */
  readonly contentType: string | undefined;
  /** The root of this version's manifest: equal ones mean equal bytes, so it serves as an entity tag. */
  readonly manifest: BlobHash;
  /** When the file's first version was stored. */
  readonly createdAt: number;
  /** When this version was stored. */
  readonly modifiedAt: number;
}

/** The answer to an upload. */
export interface StoredFile extends FileInfo {
  /** The first chunks, at most `uploadChunksListedCountMax`; the others page by `FileService.chunks`. */
  readonly chunks: readonly PlacedChunk[];
}

/** Pages count from 1. Beyond the last one there are no items. */
export interface PageRequest {
  /** 1 when absent; `invalid_argument` below. */
  readonly page?: number | undefined;
  /** `filesPageCountDefault` when absent; clamped to `filesPageCountMax`, `invalid_argument` below 1. */
  readonly pageSize?: number | undefined;
}

export interface PageOf<T> {
  readonly items: readonly T[];
  /** All there are, on all pages. */
  readonly total: number;
  readonly page: number;
  /** What was asked for, clamped. */
  readonly pageSize: number;
}

/** Over all files and all their versions. A chunk counts as often as manifests list it. */
export interface FileCounts {
  readonly files: number;
  readonly versions: number;
  readonly chunks: number;
  readonly bytes: number;
}
