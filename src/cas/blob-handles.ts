// Blobs held open on this disk. Every read goes through the checksums of the blocks it touches; there is no other way to
// the bytes. A handle pins what it reads from: the log segment of a packed blob, the file of a large one.

import type { BlobHandle } from '../base/blob-store.js';
import type { Digest } from '../base/digest.js';
import { assert } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { ByteRange } from '../base/range.js';
import { verifyBlocks } from '../log/block-checksums.js';
import type { OpenFile } from '../log/file-system.js';
import type { RecordReader } from '../log/log.js';

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

  async read(range: ByteRange): Promise<Uint8Array> {
    checkRange(range, this.digest);
    return this.record.read(range);
  }

  close(): Promise<void> {
    return this.record.close();
  }
}

/** A blob in a file of its own; the checksum table is the payload of its record in the log. */
export class LargeHandle implements BlobHandle {
  readonly localPath: string;
  readonly #file: OpenFile;
  readonly #record: RecordReader;
  readonly #closeFile: () => Promise<void>;
  /** The piece of the checksum table that was read last. */
  #page: { readonly firstBlock: number; readonly table: Uint8Array } | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    readonly digest: Digest,
    file: OpenFile,
    record: RecordReader,
    closeFile: () => Promise<void>,
  ) {
    this.localPath = file.path;
    this.#file = file;
    this.#record = record;
    this.#closeFile = closeFile;
  }

  async read(range: ByteRange, scratch?: Uint8Array): Promise<Uint8Array> {
    checkRange(range, this.digest);
    if (range.start === range.end) return new Uint8Array(0);
    const firstBlock = Math.floor(range.start / limits.blockBytes);
    const blockEnd = Math.ceil(range.end / limits.blockBytes);
    const from = firstBlock * limits.blockBytes;
    const length = Math.min(blockEnd * limits.blockBytes, this.digest.size) - from;
    // Not zeroed, since it is filled; not from the shared pool, since it is given away.
    const bytes =
      scratch !== undefined && scratch.length >= length
        ? scratch.subarray(0, length)
        : new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
    const [got, table] = await Promise.all([this.#file.read(bytes, from), this.#checksums(firstBlock, blockEnd)]);
    verifyBlocks(bytes.subarray(0, got), table, this.#file.path, bytes.length);
    return bytes.subarray(range.start - from, range.end - from);
  }

  /** The table's entries for blocks [firstBlock, blockEnd). */
  async #checksums(firstBlock: number, blockEnd: number): Promise<Uint8Array> {
    let page = this.#page;
    if (page === undefined || firstBlock < page.firstBlock || 4 * (blockEnd - page.firstBlock) > page.table.length) {
      const start = firstBlock;
      const end = Math.min(Math.max(blockEnd, start + limits.checksumPageBlocks), this.#record.payloadBytes / 4);
      page = { firstBlock: start, table: await this.#record.read({ start: 4 * start, end: 4 * end }) };
      this.#page = page;
    }
    return page.table.subarray(4 * (firstBlock - page.firstBlock), 4 * (blockEnd - page.firstBlock));
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all([this.#record.close(), this.#closeFile()]).then(() => {});
    return this.#closing;
  }
}
