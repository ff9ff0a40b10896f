// Files by name and version, on any of several servers: the client of the LumeoFS API. Uploads go by sessions, of which every
// step may be made twice: so they survive lost connections and restarts, and a name may have any characters.

import { Readable } from 'node:stream';
import { type Clock, systemClock } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { type Random, systemRandom } from '../../base/random.js';
import { type BatchCall, type BatchDownloaded, type BatchUploaded, downloadParts, uploadForm } from './batch.js';
import { jsonBody } from './compressed-body.js';
import { FileCache } from './file-cache.js';
import type { FileDetails, FileEntry, NumberedPage, PageQuery, SessionState, UploadedFile } from './file-shapes.js';
import { formOf, type NamedContent } from './form-body.js';
import { HttpCaller, type HttpCallerOptions } from './http-caller.js';
import { PartGatherer } from './part-gatherer.js';
import { bytesOf, piecesOf } from './read-body.js';
import { resumedDownload } from './resumed-download.js';
import { UploadSession } from './upload-session.js';

export interface FileClientOptions extends Partial<HttpCallerOptions> {
  /** `HOST:PORT` or URLs; the next is asked when one does not answer. */
  readonly addresses: readonly string[];
  /** Keep what is known of files, and ask the server only whether it still holds. Off by default. */
  readonly enableCache?: boolean | undefined;
  /** Files known at most. */
  readonly cacheSize?: number | undefined;
  /** Send gzip, and ask for it on whole downloads. Off by default. */
  readonly compression?: boolean | undefined;
}

export interface UploadFileOptions {
  readonly contentType?: string | undefined;
  /** `fail`: `already_exists` for a name that is taken, instead of a new version. */
  readonly ifExists?: 'version' | 'fail' | undefined;
  /** Bytes that are durable, as they become so. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface DownloadFileOptions {
  readonly version?: number | undefined;
  /** First byte, and how many; to the end without. */
  readonly start?: number | undefined;
  readonly length?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Servers of this kind compress for those alone who say that plain bytes are less welcome. */
const acceptsGzip = 'gzip, identity;q=0.5';

const json = (path: string, signal?: AbortSignal) => ({ method: 'GET', path, isIdempotent: true, signal }) as const;

export class FileClient {
  readonly #caller: HttpCaller;
  readonly #random: Random;
  readonly #cache: FileCache<FileDetails>;
  readonly #compression: boolean;

  /** `invalid_argument` for an address that is none. */
  constructor(
    {
      enableCache = false,
      cacheSize = limits.fileCacheCountDefault,
      compression = false,
      ...options
    }: FileClientOptions,
    clock: Clock = systemClock,
    random: Random = systemRandom,
  ) {
    this.#caller = new HttpCaller(
      {
        ...options,
        timeoutMilliseconds: options.timeoutMilliseconds ?? limits.fileTimeoutMilliseconds,
        retryCount: options.retryCount ?? limits.fileRetriesCount,
        retryIntervalMilliseconds: options.retryIntervalMilliseconds ?? limits.fileRetryMilliseconds,
        maxConnections: options.maxConnections ?? limits.fileConnectionsCount,
      },
      clock,
      random,
    );
    this.#random = random;
    this.#cache = new FileCache(enableCache ? cacheSize : 0);
    this.#compression = compression;
  }

  /** Stores bytes, or a stream of a known length, under a name. */
  async upload(name: string, content: Uint8Array, options?: UploadFileOptions): Promise<UploadedFile> {
    return this.uploadStream(name, content.length, [content], options);
  }

  async uploadStream(
    name: string,
    size: number,
    content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    options: UploadFileOptions = {},
  ): Promise<UploadedFile> {
    const session = await this.createUploadSession(name, size, options);
    return this.resume(session, content, options);
  }

  /** Goes on with a session; `content` begins where it is. Completes it, and forgets what was known of the file. */
  async resume(
    session: UploadSession,
    content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    { onProgress, signal }: UploadFileOptions = {},
  ): Promise<UploadedFile> {
    const parts = new PartGatherer(limits.filePartBytes);
    const send = async (part: Uint8Array) => {
      await session.uploadChunk(part, signal);
      onProgress?.(session.uploadedSize);
    };
    for await (const piece of content) for (const part of parts.add(piece)) await send(part);
    const last = parts.rest();
    if (last.length > 0) await send(last);
    const stored = await session.complete(signal);
    this.#cache.delete(stored.file_id);
    return stored;
  }

  /**
   * Stores up to a thousand files with one request, and says for each, in order, what became of it. A stream that fails, a
   * lost connection, the signal: the whole call fails then, and files before the one under way may have been stored.
   */
  async uploadBatch(files: readonly NamedContent[], call: BatchCall = {}): Promise<BatchUploaded[]> {
    checkBatch(files.length);
    if (files.length === 0) return [];
    const names = files.map(({ name }) => name);
    const results = await uploadForm(this.#caller, names, formOf(files, this.#random), call);
    for (const { stored } of results) if (stored !== undefined) this.#cache.delete(stored.file_id);
    return results;
  }

  async createUploadSession(
    name: string,
    size: number,
    { contentType, ifExists, signal }: UploadFileOptions & { readonly chunkSize?: number } = {},
  ): Promise<UploadSession> {
    const request = { file_name: name, file_size: size, content_type: contentType, if_exists: ifExists };
    // A session that is made twice is one that nobody uses, and expires.
    const call = { method: 'POST', path: '/api/v1/uploads', isIdempotent: true, signal, ...jsonBody(request) } as const;
    return this.#session(await this.#caller.data<SessionState>(call));
  }

  /** Those that are not complete: one page, or all of them. */
  async listUploadSessions({ page, pageSize }: PageQuery = {}): Promise<UploadSession[]> {
    const path = `/api/v1/uploads${query({ page, page_size: pageSize })}`;
    const { uploads } = await this.#caller.data<{ uploads: SessionState[] }>(json(path));
    return uploads.map((state) => this.#session(state));
  }

  #session(state: SessionState): UploadSession {
    return new UploadSession({ caller: this.#caller, compression: this.#compression }, state);
  }

  /** The bytes as they come. To be read to their end, or destroyed. */
  async downloadStream(fileId: string, options: DownloadFileOptions = {}): Promise<Readable> {
    const { version, start = 0, length, signal } = options;
    if (length === 0) return Readable.from([]);
    const isWhole = start === 0 && length === undefined;
    const end = length === undefined ? '' : start + length - 1;
    const headers: Record<string, string> = isWhole
      ? { ...(this.#compression && { 'accept-encoding': acceptsGzip }) }
      : { range: `bytes=${start}-${end}` };
    const path = `/api/v1/files/${encodeURIComponent(fileId)}${query({ version })}`;
    const answer = await this.#caller.call({ ...json(path, signal), headers });
    return answer.body;
  }

  async download(fileId: string, options?: DownloadFileOptions): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    const body = await this.downloadStream(fileId, options);
    for await (const piece of piecesOf(body, options?.signal)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  /**
   * All bytes of a version, which `info` has told of: a connection that breaks is taken up again where it broke. Left
   * early, the connection is closed.
   */
  downloadAll(
    { file_id, version, file_size }: FileEntry,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<Uint8Array> {
    const open = (start: number) => this.downloadStream(file_id, { version, start, signal });
    return resumedDownload({ size: file_size, signal, open });
  }

  /**
   * Up to a thousand files, or the reason for each that cannot be had, in the order asked for and with one request. Fails with
   * `unavailable` when the answer breaks off. Whoever stops early closes its connection.
   */
  async *downloadBatch(
    fileIds: readonly string[],
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<BatchDownloaded, void, undefined> {
    checkBatch(fileIds.length);
    if (fileIds.length > 0) yield* downloadParts(this.#caller, fileIds, signal);
  }

  /** `not_found` without that file or version. */
  async info(fileId: string, { version }: { readonly version?: number | undefined } = {}): Promise<FileDetails> {
    const path = `/api/v1/files/${encodeURIComponent(fileId)}/info${query({ version })}`;
    const known = version === undefined ? this.#cache.get(fileId) : undefined;
    const answer = await this.#caller.call({ ...json(path), headers: known && { 'if-none-match': known.etag } });
    if (answer.status === 304 && known !== undefined) {
      answer.body.resume();
      return known.info;
    }
    const { data } = JSON.parse(`${await bytesOf(answer.body)}`) as { data: FileDetails };
    const { etag } = answer.headers;
    if (etag !== undefined && version === undefined) this.#cache.put(fileId, etag, data);
    return data;
  }

  /** Sorted by the bytes of their names. */
  list({
    prefix,
    page,
    pageSize,
  }: PageQuery & { readonly prefix?: string | undefined } = {}): Promise<
    NumberedPage & { readonly files: readonly FileEntry[] }
  > {
    return this.#caller.data(json(`/api/v1/files${query({ prefix, page, page_size: pageSize })}`));
  }

  /** The file that has exactly this name. */
  async find(name: string): Promise<FileEntry | undefined> {
    const { files } = await this.list({ prefix: name, pageSize: 1 });
    // No name that begins so comes before it.
    return files.find(({ file_name }) => file_name === name);
  }

  versions(
    fileId: string,
    { page, pageSize }: PageQuery = {},
  ): Promise<NumberedPage & { readonly versions: readonly FileDetails[] }> {
    const path = `/api/v1/files/${encodeURIComponent(fileId)}/versions${query({ page, page_size: pageSize })}`;
    return this.#caller.data(json(path));
  }

  /** Makes an earlier version the newest. */
  async restore(fileId: string, version: number): Promise<FileDetails> {
    this.#cache.delete(fileId);
    const path = `/api/v1/files/${encodeURIComponent(fileId)}/versions/${version}/restore`;
    return this.#caller.data({ method: 'POST', path, isIdempotent: false });
  }

  /** With all its versions. `not_found` when there is none. */
  async delete(fileId: string): Promise<void> {
    this.#cache.delete(fileId);
    const path = `/api/v1/files/${encodeURIComponent(fileId)}`;
    const { body } = await this.#caller.call({ method: 'DELETE', path, isIdempotent: false });
    body.resume();
  }

  close(): void {
    this.#caller.close();
  }
}

function checkBatch(count: number): void {
  if (count <= limits.batchFilesCountMax) return;
  throw new CairnError('too_large', `a batch has at most ${limits.batchFilesCountMax} files, not ${count}`);
}

/** What is undefined is left out. */
function query(fields: Readonly<Record<string, string | number | undefined>>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) given.set(name, `${value}`);
  return given.size === 0 ? '' : `?${given}`;
}
