// How files lie in the metadata (docs/FORMATS.md, "Files in the metadata"). A file's row stands under its id and under its
// name, the same bytes twice, and changes with every version; each version has a row of its own.

import { formatHash, parseHash } from '../base/digest.js';
import { assert, CairnError } from '../base/errors.js';
import type { Manifest } from '../chunk/manifest-builder.js';
import { textKey } from '../meta/keys.js';
import type { FileCounts, FileInfo } from './file-info.js';

export interface VersionRow {
  readonly version: number;
  readonly manifest: Manifest;
  readonly contentType: string | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly storedAt: number;
}

export interface FileRow {
  readonly fileId: string;
  readonly name: string;
  readonly createdAt: number;
  readonly latest: VersionRow;
  /** Sums over all versions. */
  readonly chunks: number;
  readonly bytes: number;
}

export const noFiles: FileCounts = { files: 0, versions: 0, chunks: 0, bytes: 0 };

export const fileKeys = {
  byId: (fileId: string) => textKey(`file/id/${fileId}`),
  byName: (name: string) => textKey(`file/name/${name}`),
  versions: (fileId: string) => textKey(`file/version/${fileId}/`),
  version: (fileId: string, version: number) => textKey(`file/version/${fileId}/${hex16(version)}`),
  counts: () => textKey('file/count/'),
  /** Counts are spread over 256 rows, so that uploads at the same time seldom meet at one. */
  countsOf: (fileId: string) => textKey(`file/count/${fileId.slice(2, 4)}`),
};

function hex16(version: number): string {
  return version.toString(16).padStart(16, '0');
}

export function fileInfo({ fileId, name, createdAt }: FileRow, version: VersionRow): FileInfo {
  const { manifest, contentType, storedAt } = version;
  return {
    fileId,
    name,
    version: version.version,
    size: manifest.bytes,
    chunkCount: manifest.chunkCount,
    contentType,
    manifest: manifest.root,
    createdAt,
    modifiedAt: storedAt,
  };
}

interface VersionJson {
  readonly version: number;
  readonly manifest: string;
  readonly bytes: number;
  readonly chunks: number;
  readonly type?: string | undefined;
  readonly stored: number;
}

interface FileJson {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly latest: VersionJson;
  readonly chunks: number;
  readonly bytes: number;
}

function versionJson({ version, manifest, contentType, storedAt }: VersionRow): VersionJson {
  const { root, bytes, chunkCount } = manifest;
  return { version, manifest: formatHash(root), bytes, chunks: chunkCount, type: contentType, stored: storedAt };
}

function versionOf({ version, manifest, bytes, chunks, type, stored }: VersionJson): VersionRow {
  const root = parseHash(manifest);
  return { version, manifest: { root, bytes, chunkCount: chunks }, contentType: type, storedAt: stored };
}

export function encodeVersionRow(row: VersionRow): Uint8Array {
  return textKey(JSON.stringify(versionJson(row)));
}

export function decodeVersionRow(value: Uint8Array): VersionRow {
  return versionOf(parseRow(value) as VersionJson);
}

export function encodeFileRow({ fileId, name, createdAt, latest, chunks, bytes }: FileRow): Uint8Array {
  const json: FileJson = { id: fileId, name, created: createdAt, latest: versionJson(latest), chunks, bytes };
  return textKey(JSON.stringify(json));
}

export function decodeFileRow(value: Uint8Array): FileRow {
  const { id, name, created, latest, chunks, bytes } = parseRow(value) as FileJson;
  return { fileId: id, name, createdAt: created, latest: versionOf(latest), chunks, bytes };
}

export function encodeCounts(counts: FileCounts): Uint8Array {
  assert(counts.files >= 0 && counts.chunks >= 0, 'nothing is deleted twice');
  return textKey(JSON.stringify(counts));
}

export function decodeCounts(value: Uint8Array | undefined): FileCounts {
  return value === undefined ? noFiles : (parseRow(value) as FileCounts);
}

/** Rows are our own and come out of checked storage; what is no JSON is damage. */
export function parseRow(value: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value));
  } catch (cause) {
    throw new CairnError('corrupt', 'a row of the metadata cannot be read', { cause });
  }
}
