// Files as HTTP and LMOF show them: under the names of the LumeoFS document, with what it does not know beside them.

import { type Static, Type } from '@sinclair/typebox';
import { formatTime } from '../base/clock.js';
import { formatHash } from '../base/digest.js';
import { formatChecksum, formatChunkId } from '../chunk/chunk.js';
import type { PlacedChunk } from '../chunk/manifest-reader.js';
import type { FileInfo, PageOf, StoredFile } from '../file/file-info.js';
import { count, time } from './http/v1/schemas.js';

const fileId = Type.String({ pattern: '^f_[0-9a-f]{12,}$' });

const chunk = Type.Object(
  {
    chunk_id: Type.String({ pattern: '^c_[0-9a-f]{64}$' }),
    size: count,
    checksum: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }),
    digest: Type.String({ pattern: '^blake3:[0-9a-f]{64}$' }),
  },
  { $id: 'Chunk' },
);

/** One version of a file. */
const shared = {
  file_id: fileId,
  file_name: Type.String(),
  file_size: count,
  version: Type.Integer({ minimum: 1 }),
  created_at: time,
  modified_at: time,
};

export const storedFile = Type.Object(
  { ...shared, chunks: Type.Array(chunk, { description: 'the first ones' }), chunk_count: count },
  { $id: 'StoredFile' },
);

export const fileDetails = Type.Object(
  { ...shared, chunk_count: count, replica_count: count, content_type: Type.Union([Type.String(), Type.Null()]) },
  { $id: 'FileInfo' },
);

export const listedFile = Type.Object(shared, { $id: 'ListedFile' });

export const listedChunk = chunk;

/** The members of a list's answer that say which page it is. */
export function pageOf({ total, page, pageSize }: PageOf<unknown>): { total: number; page: number; page_size: number } {
  return { total, page, page_size: pageSize };
}

export function listedFileData(info: FileInfo): Static<typeof listedFile> {
  return {
    file_id: info.fileId,
    file_name: info.name,
    file_size: info.size,
    version: info.version,
    created_at: formatTime(info.createdAt),
    modified_at: formatTime(info.modifiedAt),
  };
}

export function storedFileData(file: StoredFile): Static<typeof storedFile> {
  return { ...listedFileData(file), chunks: file.chunks.map(chunkData), chunk_count: file.chunkCount };
}

/** `replicas`: how many copies of its chunks there are. */
export function fileDetailsData(info: FileInfo, replicas: number): Static<typeof fileDetails> {
  return {
    ...listedFileData(info),
    chunk_count: info.chunkCount,
    replica_count: replicas,
    content_type: info.contentType ?? null,
  };
}

export function chunkData(placed: PlacedChunk): Static<typeof listedChunk> {
  return {
    chunk_id: formatChunkId(placed.digest),
    size: placed.digest.size,
    checksum: formatChecksum(placed),
    digest: formatHash(placed.digest.hash),
  };
}
