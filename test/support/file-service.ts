// A `FileService` over real parts in a directory: metadata in LevelDB, blobs in memory or in a local store.

import { join } from 'node:path';
import type { BlobStore } from '../../src/base/blob-store.js';
import { ByteBudget } from '../../src/base/byte-budget.js';
import { systemClock } from '../../src/base/clock.js';
import { systemRandom } from '../../src/base/random.js';
import { MemoryStore } from '../../src/cas/memory-store.js';
import { FileService, type FileServiceParts } from '../../src/file/file-service.js';
import { LevelKv } from '../../src/meta/level-kv.js';
import { withDirectory } from './local-store.js';

export interface ServedFiles {
  readonly files: FileService;
  readonly parts: FileServiceParts;
  readonly store: BlobStore;
}

/** Small chunks, so that small files have many. */
const chunking = { kind: 'fastcdc', averageBytes: 1024 } as const;

/** Runs `body` with a service whose metadata lies in a directory that is removed afterwards. */
export function withFiles<T>(
  body: (served: ServedFiles) => Promise<T>,
  changes: Partial<FileServiceParts> = {},
): Promise<T> {
  return withDirectory(async (directory) => {
    const kv = await LevelKv.open({ directory: join(directory, 'meta'), nodeId: 'test' });
    const store = changes.store ?? new MemoryStore();
    const budget = new ByteBudget(64 << 20);
    const parts = { kv, clock: systemClock, random: systemRandom, chunking, budget, ...changes, store };
    try {
      return await body({ files: new FileService(parts), parts, store });
    } finally {
      await kv.close();
    }
  });
}

export async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

export async function* streamOf(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
