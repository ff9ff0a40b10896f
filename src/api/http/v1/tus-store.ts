// Upload sessions as `@tus/server` wants its store to be. An upload's id is the session's, so that both ways to send the same
// bytes may take turns. A session whose last byte has come is completed at once, and again whenever somebody asks for it:
// a server that was killed in between makes the file when the client comes back.

import type { Readable } from 'node:stream';
import { DataStore, Upload } from '@tus/server';
import { formatTime } from '../../../base/clock.js';
import { CairnError } from '../../../base/errors.js';
import { limits } from '../../../base/limits.js';
import type { UploadInfo, UploadSessions } from '../../../file/upload-sessions.js';

export class TusStore extends DataStore {
  readonly #uploads: UploadSessions;

  constructor(uploads: UploadSessions) {
    super();
    this.#uploads = uploads;
    this.extensions = ['creation', 'creation-with-upload', 'expiration', 'termination'];
  }

  override async create(upload: Upload): Promise<Upload> {
    const { filename, name, filetype, type } = upload.metadata ?? {};
    // Clients that say no name have made one up all the same: the id of this upload.
    const fileName = filename ?? name ?? upload.id;
    const session = await this.#uploads.create(fileName, upload.size!, { contentType: filetype ?? type ?? undefined });
    upload.id = session.uploadId;
    return upload;
  }

  override async getUpload(uploadId: string): Promise<Upload> {
    const session = await this.#find(uploadId);
    if (session === undefined || session.offset === session.size) {
      // Complete, or it should be.
      const { size, name } = await this.#uploads.complete(uploadId);
      return new Upload({ id: uploadId, size, offset: size, metadata: { filename: name } });
    }
    const { size, offset, name, contentType = null, expiresAt } = session;
    return new Upload({
      id: uploadId,
      size,
      offset,
      metadata: { filename: name, filetype: contentType },
      // What it expires by is counted from here.
      creation_date: formatTime(expiresAt - limits.uploadLifeMilliseconds),
    });
  }

  override async write(stream: Readable, uploadId: string, offset: number): Promise<number> {
    // Nothing follows the last byte; asking has completed it.
    if ((await this.#find(uploadId)) === undefined) return offset;
    return (await this.#uploads.append(uploadId, offset, stream)).offset;
  }

  override async remove(uploadId: string): Promise<void> {
    await this.#uploads.abort(uploadId);
  }

  override getExpiration(): number {
    return limits.uploadLifeMilliseconds;
  }

  /** Undefined for one that is complete or unknown. */
  async #find(uploadId: string): Promise<UploadInfo | undefined> {
    try {
      return await this.#uploads.info(uploadId);
    } catch (error) {
      if (error instanceof CairnError && error.code === 'not_found') return undefined;
      throw error;
    }
  }
}
