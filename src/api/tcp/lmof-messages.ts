// What LMOF messages say, whatever version they are written in. Version 1 uses these shapes as they are, in JSON; version 2
// turns them into Protocol Buffers, with a file's bytes behind the message instead of in it.

import type { BlobSource } from '../../base/blob-store.js';
import type { chunkData, listedFileData, pageOf, storedFileData } from '../file-shapes.js';
import type { Action } from './message-types.js';

export interface UploadRequest {
  readonly file_name: string;
  /** Exact in version 2; a hint in version 1, whose senders count as they please. */
  readonly file_size: number | undefined;
  readonly isSizeExact: boolean;
  readonly content_type?: string | undefined;
  /** `fail` refuses a name that exists; otherwise it gets a new version. */
  readonly if_exists?: string | undefined;
  readonly content: BlobSource;
}

export interface DownloadRequest {
  readonly file_id: string;
  readonly offset?: number | undefined;
  /** To the end of the file when it is absent. */
  readonly length?: number | undefined;
  readonly version?: number | undefined;
}

export interface ListRequest {
  readonly page?: number | undefined;
  readonly page_size?: number | undefined;
  readonly prefix?: string | undefined;
}

export interface HeartbeatRequest {
  readonly node_id?: string | undefined;
  readonly stats?: Readonly<Record<string, unknown>> | undefined;
}

/** A token, or a name with its password. */
export interface AuthRequest {
  readonly token?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

export interface Requests {
  readonly UPLOAD: UploadRequest;
  readonly DOWNLOAD: DownloadRequest;
  readonly DELETE: { readonly file_id: string };
  readonly LIST: ListRequest;
  readonly HEARTBEAT: HeartbeatRequest;
  readonly AUTH: AuthRequest;
}

export interface Replica {
  readonly node_id: string;
  readonly address: string;
  readonly role: string;
}

/** As over HTTP, with the places of the chunks. */
export interface UploadAnswer extends ReturnType<typeof storedFileData> {
  /** The first thousand of them. */
  readonly chunks: (ReturnType<typeof chunkData> & { readonly replicas: readonly Replica[] })[];
}

export interface DownloadAnswer {
  readonly file_id: string;
  readonly file_name: string;
  /** Of the whole file. */
  readonly file_size: number;
  readonly offset: number;
  /** Bytes in this answer. */
  readonly length: number;
  /** Of exactly that length; to be read once. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** As over HTTP. */
export interface ListAnswer extends ReturnType<typeof pageOf> {
  readonly files: readonly ReturnType<typeof listedFileData>[];
}

export interface Answers {
  readonly UPLOAD: UploadAnswer;
  readonly DOWNLOAD: DownloadAnswer;
  readonly DELETE: Readonly<Record<string, never>>;
  readonly LIST: ListAnswer;
  readonly HEARTBEAT: { readonly timestamp: string };
  readonly AUTH: { readonly user: string; readonly roles: readonly string[] };
}

/** A request with what it asks for. */
export type AnyRequest = { [A in Action]: { readonly action: A; readonly request: Requests[A] } }[Action];
export type AnyAnswer = { [A in Action]: { readonly action: A; readonly answer: Answers[A] } }[Action];
