// What the thread that owns a store does for threads that read its table and files themselves: it answers where they cannot,
// and commits what they have hashed and spooled. Everything here can be asked by message: arguments and answers are plain
// data, and a blob's bytes come checked against its digest, since nobody hashes twice.

import type {
  Durability,
  ListOptions,
  NamedBlob,
  StoreUsage,
  WriteManyOptions,
  WriteResult,
} from '../base/blob-store.js';
import type { BlobHash, Digest } from '../base/digest.js';
import type { CairnError } from '../base/errors.js';
import type { BlobRow, ShardBuffer, SharedTable } from './blob-table.js';

/** What another thread is told as it happens. */
export type SharedChange =
  | { readonly kind: 'moved'; readonly shard: number; readonly to: ShardBuffer }
  | { readonly kind: 'segment-removed'; readonly segment: number }
  /** Whoever has its file open lets go of it. */
  | { readonly kind: 'large-blob-removed'; readonly hash: BlobHash };

/** What a thread needs to read a store of another one. */
export interface SharedParts {
  /** The store's data directory. */
  readonly directory: string;
  readonly logDirectory: string;
  readonly durability: Durability;
  readonly table: SharedTable;
}

export interface StoreOwner {
  /** Where blobs are, as they are now. */
  find(hashes: readonly BlobHash[]): Promise<(BlobRow | undefined)[]>;
  /** A large blob: the path of its file among the temporary ones, not yet synced, and its checksum table. */
  commitLarge(digest: Digest, path: string, checksums: Uint8Array): Promise<WriteResult>;
  /** Many blobs, whose digests are right. */
  commitMany(blobs: readonly NamedBlob[], options?: WriteManyOptions): Promise<(WriteResult | CairnError)[]>;
  /** Resolves when a blob is stored, at once if it is; undefined when the signal aborts. */
  stored(hash: BlobHash, signal: AbortSignal): Promise<Digest | undefined>;
  delete(hashes: readonly BlobHash[]): Promise<boolean[]>;
  list(options: ListOptions): Promise<Digest[]>;
  usage(): Promise<StoreUsage>;
}
