// An upload that can be broken off and gone on with, by this process or another: the server keeps what came, and says how far
// it is. Every step may be made twice, so each is tried again where it fails on the way.

import { parseTime } from '../../base/clock.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { compressed } from './compressed-body.js';
import type { SessionState, UploadedFile } from './file-shapes.js';
import type { HttpCaller } from './http-caller.js';

export class UploadSession {
  readonly #caller: HttpCaller;
  readonly #compression: boolean;
  #state: SessionState;

  constructor(parts: { readonly caller: HttpCaller; readonly compression: boolean }, state: SessionState) {
    this.#caller = parts.caller;
    this.#compression = parts.compression;
    this.#state = state;
  }

  get uploadId(): string {
    return this.#state.upload_id;
  }

  get fileName(): string {
    return this.#state.file_name;
  }

  get fileSize(): number {
    return this.#state.file_size;
  }

  /** When it was made, in milliseconds of Unix time, to the second. */
  get createdAt(): number {
    return parseTime(this.#state.created_at);
  }

  /** Where the next part begins. */
  get uploadedSize(): number {
    return this.#state.uploaded_size;
  }

  /** Sends the next part, of any length. */
  async uploadChunk(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const most = this.#state.chunk_size ?? bytes.length;
    for (let at = 0; at < bytes.length; at += most) await this.#part(bytes.subarray(at, at + most), signal);
  }

  async #part(bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const end = this.uploadedSize + bytes.length;
    for (let attempt = 0; this.uploadedSize < end; attempt++) {
      const rest = bytes.subarray(bytes.length - (end - this.uploadedSize));
      try {
        const sent = { body: rest, headers: { 'content-type': 'application/octet-stream' } };
        this.#state = await this.#caller.data<SessionState>({
          method: 'PUT',
          path: `/api/v1/uploads/${this.uploadId}?offset=${this.uploadedSize}`,
          ...(this.#compression ? await compressed(sent) : sent),
          isIdempotent: true,
          signal,
        });
      } catch (error) {
        // The attempt that got no answer may have come, or a part of it.
        if (!(error instanceof CairnError) || error.code !== 'conflict') throw error;
        if (attempt >= limits.fileConflictsCountMax) throw error;
        await this.refresh(signal);
        if (this.uploadedSize > end || this.uploadedSize < end - bytes.length) throw error;
      }
    }
  }

  /** Asks the server how far the upload is. */
  async refresh(signal?: AbortSignal): Promise<void> {
    const path = `/api/v1/uploads/${this.uploadId}`;
    this.#state = await this.#caller.data<SessionState>({ method: 'GET', path, isIdempotent: true, signal });
  }

  /** Makes the file. `invalid_argument` while bytes are missing. */
  complete(signal?: AbortSignal): Promise<UploadedFile> {
    const path = `/api/v1/uploads/${this.uploadId}/complete`;
    return this.#caller.data<UploadedFile>({ method: 'POST', path, isIdempotent: true, signal });
  }

  /** Gives it up. */
  async abort(): Promise<void> {
    const path = `/api/v1/uploads/${this.uploadId}`;
    const { body } = await this.#caller.call({ method: 'DELETE', path, isIdempotent: true });
    body.resume();
  }
}
