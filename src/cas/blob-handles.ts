// Blobs held open on this disk. Every read goes through the checksums of the blocks it touches; there is no other way to
// the bytes. A handle pins what it reads from: the log segment of a packed blob, the file of a large one.

import type { BlobHandle } from '../base/blob-store.js';
import type { Digest } from '../base/digest.js';
import { assert, errorCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { ByteRange } from '../base/range.js';
import type { RecordReader } from '../log/log.js';
import type { LargeFile } from './large-file.js';

function checkRange({ start, end }: ByteRange, digest: Digest): void {
  assert(start >= 0 && start <= end && end <= digest.size, 'a read lies inside its blob');
  assert(end - start <= limits.readBytesMax, 'a read is within readBytesMax');
}

/** The blob that has no bytes. */
export function emptyHandle(digest: Digest): BlobHandle {
  return { digest, localPath: undefined, read: async () => new Uint8Array(0), close: async () => {} };
}

/** A blob inside the log; its record was checked when it was opened. */
export class PackedHandle implements BlobHandle {
  readonly localPath = undefined;

  constructor(
    readonly digest: Digest,
    readonly record: RecordReader,
  ) {}

  /** All ranges are within `readBytesMax`; the record checks that they lie inside the blob. */
  read(range: ByteRange, scratch?: Uint8Array): Promise<Uint8Array> {
    return this.record.read(range, scratch);
  }

  close(): Promise<void> {
    return this.record.close();
  }
}

/** Whose file it is that a handle reads. */
export interface LargeFileOwner {
  /** Once, when the handle is closed. */
  release(): Promise<void>;
  /** Each time that a read found damage. */
  damaged(): void;
}

/** A blob in a file of its own, which others may read at the same time. */
export class LargeHandle implements BlobHandle {
  readonly digest: Digest;
  readonly localPath: string;
  readonly #file: LargeFile;
  readonly #owner: LargeFileOwner;
  #closing: Promise<void> | undefined;

  constructor(file: LargeFile, owner: LargeFileOwner) {
    this.digest = file.digest;
    this.localPath = file.path;
    this.#file = file;
    this.#owner = owner;
  }

  async read(range: ByteRange, scratch?: Uint8Array): Promise<Uint8Array> {
    assert(this.#closing === undefined, 'a closed blob is not read');
    checkRange(range, this.digest);
    if (range.start === range.end) return new Uint8Array(0);
    try {
      return await this.#file.read(range, scratch);
    } catch (error) {
      if (errorCode(error) === 'corrupt') this.#owner.damaged();
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#owner.release();
    return this.#closing;
  }
}
