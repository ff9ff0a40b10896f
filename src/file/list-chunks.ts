// Pages of a manifest's chunks.

import type { BlobStore } from '../base/blob-store.js';
import { limits } from '../base/limits.js';
import type { Manifest } from '../chunk/manifest-builder.js';
import { ManifestReader, type PlacedChunk } from '../chunk/manifest-reader.js';

/** As many as the answer to an upload lists. */
export function firstChunks(store: Pick<BlobStore, 'open'>, manifest: Manifest): Promise<PlacedChunk[]> {
  return listChunks(store, manifest, 0, limits.uploadChunksListedCountMax);
}

/** At most so many chunks, from a number on. */
export async function listChunks(
  store: Pick<BlobStore, 'open'>,
  manifest: Manifest,
  from: number,
  count: number,
): Promise<PlacedChunk[]> {
  const chunks: PlacedChunk[] = [];
  if (from >= manifest.chunkCount) return chunks;
  for await (const chunk of new ManifestReader(store, manifest).chunksFrom(from)) {
    chunks.push(chunk);
    if (chunks.length === count) break;
  }
  return chunks;
}
