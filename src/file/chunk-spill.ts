// Where the bytes of a chunk go that is too large to be gathered in memory.

import type { BlobStore } from '../base/blob-store.js';
import type { Digest } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { PieceChannel } from './piece-channel.js';

export interface ChunkSpill {
  /** The bytes may change when it is answered. One call at a time. */
  append(bytes: Uint8Array): Promise<void>;
  /** Stores the chunk. Resolves when it is durable. */
  finish(): Promise<Digest>;
  /** Leaves nothing behind. */
  discard(): Promise<void>;
}

/** Straight into the store. */
export class StoreSpill implements ChunkSpill {
  readonly #pieces = new PieceChannel();
  readonly #stop = new AbortController();
  readonly #writing: Promise<Digest>;

  constructor(store: Pick<BlobStore, 'write'>) {
    this.#writing = store.write(this.#pieces, { signal: this.#stop.signal }).then(({ digest }) => digest);
    // Its failure is thrown by `finish`; until then it must not count as unhandled.
    this.#writing.catch(() => this.#pieces.return());
  }

  append(bytes: Uint8Array): Promise<void> {
    return this.#pieces.push(bytes);
  }

  finish(): Promise<Digest> {
    this.#pieces.end();
    return this.#writing;
  }

  async discard(): Promise<void> {
    this.#stop.abort(new CairnError('canceled', 'the upload ended early'));
    await this.#writing.catch(() => {});
  }
}
