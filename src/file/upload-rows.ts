// How upload sessions lie in the metadata (docs/FORMATS.md, "Upload sessions"): a row for what there is to know, one for
// the open nodes of the manifest, and, when a session is complete, one that remembers for a while what became of it.

import type { Chunking } from '../chunk/chunking.js';
import { textKey } from '../meta/keys.js';
import { parseRow } from './file-rows.js';

/** Bytes behind the last whole chunk, in the staging area. */
export interface TailRow {
  readonly name: string;
  readonly size: number;
  /** CRC-32 of them. */
  readonly checksum: number;
}

/** Times are milliseconds since the Unix epoch. */
export interface UploadRow {
  readonly uploadId: string;
  readonly name: string;
  readonly size: number;
  readonly partBytesMax: number | undefined;
  readonly contentType: string | undefined;
  readonly ifExists: 'version' | 'fail';
  readonly chunking: Chunking;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Bytes that are durable: those of whole chunks, and the tail. */
  readonly offset: number;
  readonly tail: TailRow | undefined;
}

/** What became of a complete session. */
export interface DoneRow {
  readonly fileId: string;
  readonly version: number;
  readonly expiresAt: number;
}

export const uploadKeys = {
  sessions: () => textKey('upload/session/'),
  session: (uploadId: string) => textKey(`upload/session/${uploadId}`),
  /** `ManifestBuilder.save`. */
  chunks: (uploadId: string) => textKey(`upload/chunks/${uploadId}`),
  allDone: () => textKey('upload/done/'),
  done: (uploadId: string) => textKey(`upload/done/${uploadId}`),
};

/** JSON, with the names of the fields as they are here. */
export function encodeUploadRow(row: UploadRow | DoneRow): Uint8Array {
  return textKey(JSON.stringify(row));
}

export function decodeUploadRow(value: Uint8Array): UploadRow {
  return parseRow(value) as UploadRow;
}

export function decodeDoneRow(value: Uint8Array): DoneRow {
  return parseRow(value) as DoneRow;
}
