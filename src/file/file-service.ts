// Files: names with versions over chunks in a blob store. The store holds the bytes and the manifests, the metadata what is
// called how. A version is added only when everything it names is durable; who reads one never sees a part of it.
// Deleting a file deletes its names. Its chunks stay, since other files may share them.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BlobStore } from '../base/blob-store.js';
import type { ByteBudget } from '../base/byte-budget.js';
import type { Clock } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import { interruptible, refuseWhenCanceled } from '../base/interruptible.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import { type ByteRange, resolveRange } from '../base/range.js';
import type { Chunking } from '../chunk/chunking.js';
import type { Manifest } from '../chunk/manifest-builder.js';
import type { PlacedChunk } from '../chunk/manifest-reader.js';
import type { KvStore } from '../meta/kv.js';
import { StoreSpill } from './chunk-spill.js';
import { ChunkWriter } from './chunk-writer.js';
import { FileCatalog } from './file-catalog.js';
import type { FileCounts, FileInfo, PageOf, PageRequest, StoredFile } from './file-info.js';
import { checkContentType, checkFileName } from './file-name.js';
import { firstChunks, listChunks } from './list-chunks.js';
import { resolvePage } from './page.js';
import { readFile } from './read-file.js';

export interface FileServiceParts {
  readonly store: BlobStore;
  readonly kv: KvStore;
  readonly clock: Clock;
  readonly random: Random;
  /** How files are cut. May change from one start to the next: manifests do not depend on it. */
  readonly chunking: Chunking;
  /** What uploads and reads may hold beyond the little that each has from the start. */
  readonly budget: ByteBudget;
}

export interface UploadOptions {
  /** What a file of that name means: a new version of it (the default), or `already_exists`. */
  readonly ifExists?: 'version' | 'fail' | undefined;
  readonly contentType?: string | undefined;
  /** `invalid_argument` when there are more bytes or fewer. */
  readonly expectedSize?: number | undefined;
  /** Ends the upload with `canceled`, and no version is made. */
  readonly signal?: AbortSignal | undefined;
}

export interface FileReadOptions {
  /** Ends the reading with `canceled`. */
  readonly signal?: AbortSignal | undefined;
  /** Each piece is done with when the next is asked for. Otherwise they are the caller's. */
  readonly recycles?: true | undefined;
}

/** A version of a file, as it was when it was opened: neither new versions nor a deletion change what it reads. */
export interface OpenFile {
  readonly info: FileInfo;
  /** The bytes of a range that lies inside the file; all without one. `corrupt` when chunks are damaged or gone. */
  bytes(range?: ByteRange, options?: FileReadOptions): AsyncGenerator<Uint8Array>;
}

export class FileService {
  readonly #parts: FileServiceParts;
  readonly #catalog: FileCatalog;

  constructor(parts: FileServiceParts) {
    this.#parts = parts;
    this.#catalog = new FileCatalog(parts);
  }

  /**
   * Stores a file, or a new version of the one that has the name. Resolves when it is durable. A piece of a stream is read
   * before the next is asked for, and not kept. What fails leaves no version, though maybe chunks.
   */
  async upload(
    name: string,
    source: Uint8Array | AsyncIterable<Uint8Array>,
    { ifExists = 'version', contentType, expectedSize, signal }: UploadOptions = {},
  ): Promise<StoredFile> {
    checkFileName(name);
    checkContentType(contentType);
    if (ifExists === 'fail') await this.#catalog.refuseWhenNamed(name);
    const manifest = await this.#store(source, expectedSize, signal);
    // Before there is a version: whoever is told of a failure would send the file once more.
    const chunks = await firstChunks(this.#parts.store, manifest);
    refuseWhenCanceled(signal);
    const info = await this.#catalog.add({ name, manifest, contentType, ifExists });
    return { ...info, chunks };
  }

  /** `not_found` without that file or version. */
  async info(fileId: string, { version }: { readonly version?: number | undefined } = {}): Promise<FileInfo> {
    return (await this.#catalog.find(fileId, version)).info;
  }

  /** The file that has exactly this name. */
  findByName(name: string): Promise<FileInfo | undefined> {
    return this.#catalog.findByName(name);
  }

  /** `not_found` without that file or version. There is nothing to close. */
  async open(fileId: string, { version }: { readonly version?: number | undefined } = {}): Promise<OpenFile> {
    const { info, manifest } = await this.#catalog.find(fileId, version);
    const { store, budget, clock } = this.#parts;
    return {
      info,
      bytes: (range = { start: 0, end: info.size }, { signal, recycles } = {}) => {
        resolveRange(info.size, range.start, range.end - range.start);
        return readFile({ store, budget, clock, manifest, range, signal, recycles });
      },
    };
  }

  /** Latest versions, sorted by the UTF-8 of the names. A page costs what lies before it. */
  async list({
    prefix = '',
    ...page
  }: PageRequest & { readonly prefix?: string | undefined } = {}): Promise<PageOf<FileInfo>> {
    return this.#catalog.list(prefix, page);
  }

  /** All versions. `not_found` without that file. */
  delete(fileId: string): Promise<void> {
    return this.#catalog.delete(fileId);
  }

  /** The newest first. `not_found` without that file. */
  versions(fileId: string, page: PageRequest = {}): Promise<PageOf<FileInfo>> {
    return this.#catalog.versions(fileId, page);
  }

  /** Adds a version with the content of an earlier one. `not_found` without that file or version. */
  restore(fileId: string, version: number): Promise<FileInfo> {
    return this.#catalog.restore(fileId, version);
  }

  /** In order. Pages are larger than elsewhere: `uploadChunksListedCountMax` by default and at most. */
  async chunks(
    fileId: string,
    { version, ...request }: PageRequest & { readonly version?: number | undefined } = {},
  ): Promise<PageOf<PlacedChunk>> {
    const most = limits.uploadChunksListedCountMax;
    const { page, pageSize, skip } = resolvePage(request, { pageSize: most, pageSizeMax: most });
    const { manifest } = await this.#catalog.find(fileId, version);
    return {
      items: await listChunks(this.#parts.store, manifest, skip, pageSize),
      total: manifest.chunkCount,
      page,
      pageSize,
    };
  }

  /** Cheap: the sums are kept, not computed. */
  counts(): Promise<FileCounts> {
    return this.#catalog.counts();
  }

  async #store(
    source: Uint8Array | AsyncIterable<Uint8Array>,
    expectedSize: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Manifest> {
    const { store, chunking, budget } = this.#parts;
    const writer = new ChunkWriter({ store, chunking, budget, openSpill: async () => new StoreSpill(store) });
    try {
      let size = 0;
      for await (const piece of interruptible(piecesOf(source), signal)) {
        size += piece.length;
        if (expectedSize !== undefined && size > expectedSize) throw wrongSize(expectedSize, 'more');
        await writer.take(piece);
      }
      if (expectedSize !== undefined && size < expectedSize) throw wrongSize(expectedSize, `only ${size}`);
      return await writer.finish();
    } catch (error) {
      await writer.discard();
      throw error;
    }
  }
}

async function* piecesOf(source: Uint8Array | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (!(source instanceof Uint8Array)) {
    yield* source;
    return;
  }
  // All of a large array in one turn of the event loop would hold up everybody else.
  for (let at = 0; at < source.length; at += limits.uploadSliceBytes) {
    if (at > 0) await nextTurn();
    yield source.subarray(at, at + limits.uploadSliceBytes);
  }
}

function wrongSize(expected: number, came: string): CairnError {
  return new CairnError('invalid_argument', `the file was to have ${expected} bytes, but ${came} came`, {
    subject: { kind: 'parameter', id: 'file_size' },
  });
}
