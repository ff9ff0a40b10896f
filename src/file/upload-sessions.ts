// Uploads that resume. A session is for one file of a size known from the start; bytes come in order, in any number of
// requests, over any number of restarts. Its offset is what is durable, and never goes back while its tail is intact.
// When all bytes are there it is completed, and a version of the file is made; one that nobody goes on with expires.

import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { uniqueName } from '../base/random.js';
import type { StagingArea } from '../base/staging.js';
import { prefixRange } from '../meta/keys.js';
import type { Operation } from '../meta/kv.js';
import { type Beside, FileCatalog } from './file-catalog.js';
import type { PageOf, PageRequest, StoredFile } from './file-info.js';
import { checkContentType, checkFileName } from './file-name.js';
import type { FileServiceParts } from './file-service.js';
import { firstChunks } from './list-chunks.js';
import { readPage, resolvePage } from './page.js';
import { receivePart } from './receive-part.js';
import { type UploadLease, UploadLeases } from './upload-leases.js';
import {
  type DoneRow,
  decodeDoneRow,
  decodeUploadRow,
  encodeUploadRow,
  type UploadRow,
  uploadKeys,
} from './upload-rows.js';
import { deletesOf, dropUpload, sweepUploads } from './upload-sweep.js';
import {
  changedByAnother,
  type HeldUpload,
  isUploadId,
  readUpload,
  UploadWriter,
  uploadUnchanged,
} from './upload-writer.js';

export interface UploadSessionsParts extends FileServiceParts {
  readonly staging: StagingArea;
  /** Told of what failed in the background. */
  readonly report: (error: unknown) => void;
}

/** Times are milliseconds since the Unix epoch. */
export interface UploadInfo {
  /** `u_` and 32 hex digits. */
  readonly uploadId: string;
  readonly name: string;
  /** Bytes of the whole file. */
  readonly size: number;
  /** Bytes that are durable, and where the next part begins. */
  readonly offset: number;
  /** Most bytes of one part; undefined for any number. */
  readonly partBytesMax: number | undefined;
  readonly contentType: string | undefined;
  readonly createdAt: number;
  /** Put off by every part. */
  readonly expiresAt: number;
}

export interface CreateUploadOptions {
  readonly partBytesMax?: number | undefined;
  readonly contentType?: string | undefined;
  /** What a file of that name means when the session is completed, and when it is created. */
  readonly ifExists?: 'version' | 'fail' | undefined;
}

export class UploadSessions {
  readonly #parts: UploadSessionsParts;
  readonly #catalog: FileCatalog;
  readonly #leases: UploadLeases;
  #closed = false;
  #cancelSweep = () => {};
  #sweeping: Promise<void> = Promise.resolve();

  constructor(parts: UploadSessionsParts) {
    this.#parts = parts;
    this.#catalog = new FileCatalog(parts);
    this.#leases = new UploadLeases(parts.clock);
  }

  /** Drops expired sessions now, and then every `uploadSweepMilliseconds`, until it is closed. */
  startSweeping(): void {
    this.#sweepRegularly();
  }

  /** `invalid_argument` for a name, size or part size that is none; `already_exists` when that is to fail. */
  async create(name: string, size: number, options: CreateUploadOptions = {}): Promise<UploadInfo> {
    const { partBytesMax, contentType, ifExists = 'version' } = options;
    checkFileName(name);
    checkContentType(contentType);
    if (!Number.isSafeInteger(size) || size < 0) throw noSize('file_size', size);
    if (partBytesMax !== undefined && !(Number.isSafeInteger(partBytesMax) && partBytesMax > 0)) {
      throw noSize('chunk_size', partBytesMax);
    }
    if (ifExists === 'fail') await this.#catalog.refuseWhenNamed(name);
    const { kv, clock, random, chunking } = this.#parts;
    const uploadId = `u_${uniqueName(random)}`;
    const createdAt = clock.now();
    const expiresAt = createdAt + limits.uploadLifeMilliseconds;
    const row: UploadRow = {
      ...{ uploadId, name, size, partBytesMax, contentType, ifExists, chunking },
      ...{ createdAt, expiresAt, offset: 0, tail: undefined },
    };
    const put: Operation = { kind: 'put', key: uploadKeys.session(uploadId), value: encodeUploadRow(row) };
    await kv.txn({ success: [put] });
    return uploadInfo(row);
  }

  /** `not_found` without that session; complete ones are not found either. */
  async info(uploadId: string): Promise<UploadInfo> {
    return uploadInfo((await readUpload(this.#parts.kv, uploadId)).row);
  }

  /** Those that are not complete, in order of their ids. */
  async list(request: PageRequest = {}): Promise<PageOf<UploadInfo>> {
    const resolved = resolvePage(request);
    const { kv } = this.#parts;
    const range = prefixRange(uploadKeys.sessions());
    const rows = (await readPage(kv, range, resolved)).map(({ value }) => decodeUploadRow(value));
    return {
      items: rows.map(uploadInfo),
      total: await kv.count(range),
      page: resolved.page,
      pageSize: resolved.pageSize,
    };
  }

  /**
   * Takes in a part that begins at the session's offset. Resolves when all of it is durable. `conflict` for another offset,
   * and while another request brings bytes; `invalid_argument` for more bytes than the part or the file may have: that part
   * then counts only as far as it was saved on the way. Where the source breaks off, its error comes out, and what came
   * before is durable and counts.
   */
  async append(
    uploadId: string,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<UploadInfo> {
    return this.#working(uploadId, async (lease) => {
      const held = await readUpload(this.#parts.kv, uploadId);
      if (held.row.offset !== offset) throw otherOffset(held.row);
      const writer = await this.#openWriter(held);
      try {
        await receivePart({ writer, source, lease, signal });
        return uploadInfo(writer.held.row);
      } finally {
        await writer.close();
      }
    });
  }

  /**
   * Makes the file, or its new version. `invalid_argument` while bytes are missing; `already_exists` as agreed at the
   * start. Completing it again within a day answers the same, as long as the file is there.
   */
  async complete(uploadId: string): Promise<StoredFile> {
    return this.#working(uploadId, async () => {
      const { kv, store, staging } = this.#parts;
      const done = isUploadId(uploadId) ? await kv.get(uploadKeys.done(uploadId)) : undefined;
      if (done !== undefined) return this.#stored(decodeDoneRow(done.value));
      const held = await readUpload(kv, uploadId);
      const { size, offset, tail, name, contentType, ifExists } = held.row;
      if (offset < size) {
        const subject = { kind: 'upload', id: uploadId } as const;
        throw new CairnError('invalid_argument', `${offset} of ${size} bytes are there`, { subject });
      }
      const writer = await this.#openWriter(held);
      try {
        const manifest = await writer.finish();
        const info = await this.#catalog.add({ name, manifest, contentType, ifExists, beside: this.#endOf(held) });
        if (tail !== undefined) await staging.remove(tail.name);
        return { ...info, chunks: await firstChunks(store, manifest) };
      } finally {
        await writer.close();
      }
    });
  }

  /** Gives a session up, cutting short who brings it bytes. `not_found` without it. */
  async abort(uploadId: string): Promise<void> {
    await this.#leases.interrupt(uploadId, new CairnError('canceled', 'the upload was given up'));
    await this.#working(uploadId, async () => {
      const { kv, staging } = this.#parts;
      await dropUpload(kv, staging, await readUpload(kv, uploadId));
    });
  }

  /** Cuts short what is under way, and waits for it. What came is durable. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelSweep();
    await this.#leases.interruptAll(closedError());
    await this.#sweeping;
  }

  /** Drops what has expired. Failures come out. */
  async sweep(): Promise<void> {
    await sweepUploads({
      ...this.#parts,
      unlessHeld: async (uploadId, work) => {
        if (!this.#closed && !this.#leases.isHeld(uploadId)) await this.#working(uploadId, work);
      },
    });
  }

  #sweepRegularly(): void {
    this.#sweeping = this.sweep().catch(this.#parts.report);
    this.#cancelSweep = this.#parts.clock.after(limits.uploadSweepMilliseconds, () => {
      void this.#sweeping.then(() => {
        if (!this.#closed) this.#sweepRegularly();
      });
    });
  }

  async #working<T>(uploadId: string, work: (lease: UploadLease) => Promise<T>): Promise<T> {
    if (this.#closed) throw closedError();
    const lease = await this.#leases.take(uploadId);
    try {
      // Taking it may have waited for who had it.
      if (this.#closed) throw closedError();
      return await work(lease);
    } finally {
      lease.release();
    }
  }

  /** `conflict` when staged bytes were lost: the row then says an earlier offset. */
  async #openWriter(held: HeldUpload): Promise<UploadWriter> {
    const writer = await UploadWriter.open(this.#parts, held);
    if (writer.offset === held.row.offset) return writer;
    try {
      await writer.save();
      throw otherOffset(writer.held.row);
    } finally {
      await writer.close();
    }
  }

  /** What ends a session in the transaction that adds its version. */
  #endOf(held: HeldUpload): Beside {
    const { uploadId } = held.row;
    const { kv, clock } = this.#parts;
    const expiresAt = clock.now() + limits.uploadLifeMilliseconds;
    return {
      compares: [uploadUnchanged(held)],
      operations: ({ fileId, version }) => [
        ...deletesOf(uploadId),
        { kind: 'put', key: uploadKeys.done(uploadId), value: encodeUploadRow({ fileId, version, expiresAt }) },
      ],
      check: async () => {
        if ((await readUpload(kv, uploadId)).revision !== held.revision) throw changedByAnother(uploadId);
      },
    };
  }

  async #stored({ fileId, version }: DoneRow): Promise<StoredFile> {
    const { info, manifest } = await this.#catalog.find(fileId, version);
    return { ...info, chunks: await firstChunks(this.#parts.store, manifest) };
  }
}

function uploadInfo(row: UploadRow): UploadInfo {
  const { uploadId, name, size, offset, partBytesMax, contentType, createdAt, expiresAt } = row;
  return { uploadId, name, size, offset, partBytesMax, contentType, createdAt, expiresAt };
}

function otherOffset({ uploadId, offset }: UploadRow): CairnError {
  const subject = { kind: 'upload', id: uploadId } as const;
  return new CairnError('conflict', `the upload goes on at ${offset}`, { subject });
}

function noSize(parameter: string, value: number): CairnError {
  const subject = { kind: 'parameter', id: parameter } as const;
  return new CairnError('invalid_argument', `${value} is no ${parameter}`, { subject });
}

function closedError(): CairnError {
  return new CairnError('unavailable', 'the server is stopping');
}
