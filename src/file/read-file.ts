// The bytes of a file, or of a range of it, out of its chunks. One piece is read ahead while the one before it is used; a
// piece lies in one chunk. Chunks that are gone, or are not what the manifest says, are `corrupt`: never other bytes.

import type { BlobHandle, BlobStore } from '../base/blob-store.js';
import { BufferPair } from '../base/buffer-pair.js';
import type { ByteBudget } from '../base/byte-budget.js';
import type { Clock } from '../base/clock.js';
import { CairnError } from '../base/errors.js';
import { refuseWhenCanceled } from '../base/interruptible.js';
import { limits } from '../base/limits.js';
import type { ByteRange } from '../base/range.js';
import { formatChunkId } from '../chunk/chunk.js';
import type { Manifest } from '../chunk/manifest-builder.js';
import { ManifestReader, type PlacedChunk } from '../chunk/manifest-reader.js';
import { type CutPiece, PieceAhead } from './piece-ahead.js';

export interface ReadFileParts {
  readonly store: Pick<BlobStore, 'open'>;
  readonly manifest: Manifest;
  /** Lies inside the file. */
  readonly range: ByteRange;
  readonly signal?: AbortSignal | undefined;
  /** What pieces beyond the first size are granted by. */
  readonly budget: ByteBudget;
  readonly clock: Clock;
  /** Each piece is done with when the next is asked for: two buffers serve by turns. */
  readonly recycles?: true | undefined;
}

/**
 * Pieces of 64 KiB at first, and up to 1 MiB as the budget grants it. The arrays are the caller's, unless they are
 * recycled. `canceled` once the signal is raised.
 */
export async function* readFile(parts: ReadFileParts): AsyncGenerator<Uint8Array> {
  const size = new PieceSize(parts.budget);
  const buffers = parts.recycles && new BufferPair();
  const pieces = cutPieces(parts, size, buffers);
  const onStalled = () => {
    size.shrink();
    buffers?.forget();
  };
  const ask = () => new PieceAhead(pieces, parts.clock, onStalled);
  let ahead = ask();
  try {
    for (let piece = await ahead.take(); piece !== undefined; piece = await ahead.take()) {
      ahead = ask();
      yield piece;
    }
  } finally {
    await ahead.drop();
    await pieces.return(undefined);
    size.giveBack();
  }
}

/** Doubles as the reader takes pieces, as long as the budget grants it. */
class PieceSize {
  bytes: number = limits.firstReadBytes;
  readonly #budget: ByteBudget;
  #granted = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  grow(): void {
    const grown = Math.min(2 * this.bytes, limits.readBytesMax);
    // One piece is used while the next is read.
    const more = 2 * (grown - this.bytes);
    if (more === 0 || !this.#budget.take(more)) return;
    this.#granted += more;
    this.bytes = grown;
  }

  /** From the start again. The piece that the reader has stays on the account. */
  shrink(): void {
    const used = Math.min(this.#granted, this.bytes - limits.firstReadBytes);
    this.#budget.give(this.#granted - used);
    this.#granted = used;
    this.bytes = limits.firstReadBytes;
  }

  giveBack(): void {
    this.#budget.give(this.#granted);
    this.#granted = 0;
  }
}

async function* cutPieces(
  parts: ReadFileParts,
  size: PieceSize,
  buffers: BufferPair | undefined,
): AsyncGenerator<CutPiece> {
  const { store, manifest, range, signal } = parts;
  for await (const chunk of new ManifestReader(store, manifest).chunksIn(range)) {
    const handle = await openChunk(store, chunk);
    try {
      const end = Math.min(chunk.digest.size, range.end - chunk.offset);
      for (let start = Math.max(0, range.start - chunk.offset); start < end; ) {
        refuseWhenCanceled(signal);
        // Pieces end where the blob's blocks do, so that no block is read twice.
        const aligned = start + size.bytes - ((start + size.bytes) % limits.blockBytes);
        const piece = { start, end: Math.min(aligned, end) };
        const bytes = await handle.read(piece, buffers?.scratchFor(piece, chunk.digest.size));
        yield { bytes, again: () => readChunk(store, chunk, piece) };
        start = piece.end;
        size.grow();
      }
    } finally {
      await handle.close();
    }
  }
}

async function readChunk(store: Pick<BlobStore, 'open'>, chunk: PlacedChunk, range: ByteRange): Promise<Uint8Array> {
  const handle = await openChunk(store, chunk);
  try {
    return await handle.read(range);
  } finally {
    await handle.close();
  }
}

async function openChunk(store: Pick<BlobStore, 'open'>, { digest }: PlacedChunk): Promise<BlobHandle> {
  const handle = await store.open(digest.hash);
  if (handle !== undefined && handle.digest.size === digest.size) return handle;
  await handle?.close();
  const id = formatChunkId(digest);
  throw new CairnError('corrupt', `the chunk ${id} is missing`, { subject: { kind: 'chunk', id } });
}
