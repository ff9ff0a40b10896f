// The open file of a large blob, and what is known of its checksums. Any number of readers may share it. The table is the
// payload of the blob's record in the log: one that fits is fetched whole with the first read and the record let go, so that
// it pins no segment; of a larger one some pages are kept, and the record is held, since more may be asked for.

import { allDone } from '../base/all-done.js';
import type { Digest } from '../base/digest.js';
import { assert, CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { ByteRange } from '../base/range.js';
import { blockCount } from '../log/block-checksums.js';
import type { OpenFile } from '../log/file-system.js';
import type { RecordReader } from '../log/log.js';
import { ChecksumPage, checksumPageBytes } from './checksum-page.js';

const { blockBytes, checksumPageBlocks, checksumPagesCountMax } = limits;
const keptBlocksMax = checksumPagesCountMax * checksumPageBlocks;

export interface LargeFileParts {
  readonly digest: Digest;
  readonly file: OpenFile;
  /** Becomes the large file's own. */
  readonly record: RecordReader;
  readonly closeFile: () => Promise<void>;
}

/** Memory that the checksums of a blob of this size may take. */
export function keptChecksumBytes(size: number): number {
  return checksumPageBytes(Math.min(blockCount(size), keptBlocksMax));
}

export class LargeFile {
  readonly digest: Digest;
  readonly path: string;
  readonly #file: OpenFile;
  readonly #record: RecordReader;
  readonly #closeFile: () => Promise<void>;
  /** The latest first. */
  #pages: ChecksumPage[] = [];
  #remembers = false;
  #loadingWhole: Promise<ChecksumPage> | undefined;
  #closing: Promise<void> | undefined;

  constructor({ digest, file, record, closeFile }: LargeFileParts) {
    this.digest = digest;
    this.path = file.path;
    this.#file = file;
    this.#record = record;
    this.#closeFile = closeFile;
  }

  /** Allows it to keep `keptChecksumBytes` of memory; before that it keeps one page. */
  remember(): void {
    this.#remembers = true;
  }

  /** The verified bytes of a range, not empty, inside the blob; `corrupt` when a block is damaged. As of a `BlobHandle`. */
  async read(range: ByteRange, scratch: Uint8Array | undefined): Promise<Uint8Array> {
    assert(this.#closing === undefined, 'a closed file is not read');
    const { size } = this.digest;
    const firstBlock = Math.floor(range.start / blockBytes);
    const blockEnd = Math.ceil(range.end / blockBytes);
    const known = this.#pages.find((page) => page.covers(firstBlock, blockEnd));
    const blocks = { start: firstBlock * blockBytes, end: Math.min(blockEnd * blockBytes, size) };
    const extent = known?.extent(range, size) ?? blocks;
    const length = extent.end - extent.start;
    // Not zeroed, since it is filled; not from the shared pool, since it is given away.
    const bytes =
      scratch !== undefined && scratch.length >= length
        ? scratch.subarray(0, length)
        : new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
    let page = known;
    let got = known?.isFamiliar(range) ? this.#file.readNow?.(bytes, extent.start) : undefined;
    if (page === undefined) {
      // The memory may be used again as soon as this has failed.
      [got, page] = await allDone<[number, ChecksumPage]>([
        this.#file.read(bytes, extent.start),
        this.#load(firstBlock, blockEnd),
      ]);
    }
    got ??= await this.#file.read(bytes, extent.start);
    if (got < length) throw new CairnError('corrupt', `${this.path} ends ${length - got} bytes too early`);
    page.verify(bytes, extent, range, this.path);
    return bytes.subarray(range.start - extent.start, range.end - extent.start);
  }

  /** A page that has the table's entries for blocks [firstBlock, blockEnd). */
  #load(firstBlock: number, blockEnd: number): Promise<ChecksumPage> {
    const blocks = this.#record.payloadBytes / 4;
    if (this.#loadingWhole !== undefined) return this.#loadingWhole;
    if (!this.#remembers || blocks > keptBlocksMax) return this.#loadPage(firstBlock, blockEnd);
    const loading = this.#loadPage(0, blocks).then(async (page) => {
      await this.#record.close();
      return page;
    });
    this.#loadingWhole = loading;
    loading.catch(() => {
      this.#loadingWhole = undefined;
    });
    return loading;
  }

  async #loadPage(start: number, blockEnd: number): Promise<ChecksumPage> {
    const end = Math.min(Math.max(blockEnd, start + checksumPageBlocks), this.#record.payloadBytes / 4);
    const table = await this.#record.read({ start: 4 * start, end: 4 * end });
    const page = new ChecksumPage(start, table, this.#remembers);
    this.#pages = [page, ...this.#pages].slice(0, this.#remembers ? checksumPagesCountMax : 1);
    return page;
  }

  /** May be called again. */
  close(): Promise<void> {
    this.#closing ??= Promise.all([this.#record.close(), this.#closeFile()]).then(() => {});
    return this.#closing;
  }
}
