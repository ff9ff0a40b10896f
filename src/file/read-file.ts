// The bytes of a file, or of a range of it, out of its chunks. One piece is read ahead while the one before it is used; a
// piece lies in one chunk. Chunks that are gone, or are not what the manifest says, are `corrupt`: never other bytes.

import type { BlobHandle, BlobStore } from '../base/blob-store.js';
import { BufferPair } from '../base/buffer-pair.js';
import type { ByteBudget } from '../base/byte-budget.js';
import { CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { ByteRange } from '../base/range.js';
import { formatChunkId } from '../chunk/chunk.js';
import type { Manifest } from '../chunk/manifest-builder.js';
import { ManifestReader, type PlacedChunk } from '../chunk/manifest-reader.js';

export interface ReadFileParts {
  readonly store: Pick<BlobStore, 'open'>;
  readonly manifest: Manifest;
  /** Lies inside the file. */
  readonly range: ByteRange;
  readonly signal?: AbortSignal | undefined;
  /** What pieces beyond the first size are granted by. */
  readonly budget: ByteBudget;
  /** Each piece is done with when the next is asked for: two buffers serve by turns. */
  readonly recycles?: true | undefined;
}

/** Pieces of 64 KiB at first, and up to 1 MiB as the budget grants it. The arrays are the caller's, unless they are recycled. `canceled` once the signal is raised. */
export function readFile(parts: ReadFileParts): AsyncGenerator<Uint8Array> {
  return readAhead(readPieces(parts));
}

async function* readPieces(parts: ReadFileParts): AsyncGenerator<Uint8Array> {
  const size = new PieceSize(parts.budget);
  try {
    yield* readChunks(parts, size);
  } finally {
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

  giveBack(): void {
    this.#budget.give(this.#granted);
    this.#granted = 0;
  }
}

async function* readChunks(
  { store, manifest, range, signal, recycles }: ReadFileParts,
  size: PieceSize,
): AsyncGenerator<Uint8Array> {
  const buffers = new BufferPair();
  for await (const chunk of new ManifestReader(store, manifest).chunksIn(range)) {
    const handle = await openChunk(store, chunk);
    try {
      const end = Math.min(chunk.digest.size, range.end - chunk.offset);
      for (let start = Math.max(0, range.start - chunk.offset); start < end; ) {
        refuseWhenCanceled(signal);
        // Pieces end where the blob's blocks do, so that no block is read twice.
        const aligned = start + size.bytes - ((start + size.bytes) % limits.blockBytes);
        const stop = Math.min(aligned, end);
        const piece = { start, end: stop };
        yield await handle.read(piece, recycles && buffers.scratchFor(piece, chunk.digest.size));
        start = stop;
        size.grow();
      }
    } finally {
      await handle.close();
    }
  }
}

async function openChunk(store: Pick<BlobStore, 'open'>, { digest }: PlacedChunk): Promise<BlobHandle> {
  const handle = await store.open(digest.hash);
  if (handle !== undefined && handle.digest.size === digest.size) return handle;
  await handle?.close();
  const id = formatChunkId(digest);
  throw new CairnError('corrupt', `the chunk ${id} is missing`, { subject: { kind: 'chunk', id } });
}

function refuseWhenCanceled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CairnError('canceled', 'the read was canceled', { cause: signal.reason });
}

/** The same items, each asked for while the one before is used. */
async function* readAhead<T>(source: AsyncGenerator<T>): AsyncGenerator<T> {
  const ask = () => {
    const asked = source.next();
    // Its failure is thrown where it is awaited; until then it must not count as unhandled.
    asked.catch(() => {});
    return asked;
  };
  let ahead = ask();
  try {
    for (let result = await ahead; !result.done; result = await ahead) {
      ahead = ask();
      yield result.value;
    }
  } finally {
    await ahead.catch(() => {});
    await source.return(undefined);
  }
}
