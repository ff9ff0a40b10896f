// The one interface of everything that holds blobs: on this disk, in memory, behind the network, or around another
// store. Absence is `undefined`, never an exception. A store promises to whoever calls it:
//   - what `write` answered for can be read back, byte for byte, until it is deleted;
//   - what `open` yields is verified before it leaves: damage is the error `corrupt`, never wrong bytes;
//   - the empty blob is always there, and cannot be deleted, and is never listed or counted;
//   - all methods may be called concurrently.

import type { BlobHash, Digest } from './digest.js';
import type { CairnError } from './errors.js';
import type { ByteRange } from './range.js';

export interface BlobStat {
  /** Length of the blob in bytes. */
  readonly size: number;
}

/** How safe a blob was when the answer was given: on disk, or handed to the operating system alone. */
export type Durability = 'disk' | 'memory';

export interface WriteOptions {
  /** What the bytes must be. Anything else fails with `digest_mismatch` and leaves nothing behind. */
  readonly expect?: Digest | undefined;
  /** Ends the write with `canceled` and leaves nothing behind. */
  readonly signal?: AbortSignal | undefined;
}

/** A blob at hand under the name it must have. The bytes must not change until the write is answered. */
export interface NamedBlob {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

export interface WriteManyOptions {
  /** Blobs that were not on their way yet are answered with `canceled` and leave nothing behind. */
  readonly signal?: AbortSignal | undefined;
}

export interface WriteResult {
  readonly digest: Digest;
  /** The blob was there before, or another writer of the same bytes committed first. */
  readonly existed: boolean;
  readonly durability: Durability;
}

/**
 * Bytes handed to `write`. An array must not change until the write is answered; a piece of a stream is read before the
 * next is asked for, and not kept.
 */
export type BlobSource = Uint8Array | AsyncIterable<Uint8Array>;

/** A blob held open: it stays readable until closed, also when it is deleted meanwhile. */
export interface BlobHandle {
  readonly digest: Digest;
  /** The blob's own file on this machine, for reading only; undefined when it has none of its own. */
  readonly localPath: string | undefined;
  /**
   * The verified bytes of a range that lies inside the blob, at most `readBytesMax` long. The buffer is the caller's.
   * `corrupt` when the bytes on disk are not those that were written. `scratch` is memory that the answer may lie in, when
   * it has room for all blocks that the range touches: who reads much reads faster into the same memory again.
   */
  read(range: ByteRange, scratch?: Uint8Array): Promise<Uint8Array>;
  /** May be called again; a read after it is a programmer's error. */
  close(): Promise<void>;
}

export interface ListOptions {
  /** List only hashes greater than this one. */
  readonly after?: BlobHash | undefined;
  readonly limit: number;
}

export interface StoreUsage {
  readonly blobs: number;
  /** Sum of the blobs' sizes. */
  readonly bytes: number;
}

export interface BlobStore {
  /** One answer for each hash, in order. */
  stat(hashes: readonly BlobHash[]): Promise<(BlobStat | undefined)[]>;
  open(hash: BlobHash): Promise<BlobHandle | undefined>;
  /** Resolves when the blob is as durable as the answer says, and visible to every later question. */
  write(source: BlobSource, options?: WriteOptions): Promise<WriteResult>;
  /**
   * The same for many small blobs that are at hand, each as if written alone with its digest as `expect`: one answer for
   * each, in order, what went wrong with it included. Of equal blobs all but one existed. The caller bounds their bytes.
   */
  writeMany(blobs: readonly NamedBlob[], options?: WriteManyOptions): Promise<(WriteResult | CairnError)[]>;
  /** One answer for each hash, in order: was it there? An open handle stays readable. */
  delete(hashes: readonly BlobHash[]): Promise<boolean[]>;
  /** In order of hash; fewer than `limit` means the end. */
  list(options: ListOptions): Promise<Digest[]>;
  usage(): Promise<StoreUsage>;
  /** Waits for writes under way; later calls fail with `unavailable`. */
  close(): Promise<void>;
}
