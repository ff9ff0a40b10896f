import type { BlobHandle, BlobSource, WriteOptions, WriteResult } from '../../../src/base/blob-store.js';
import type { BlobHash } from '../../../src/base/digest.js';
import { CairnError } from '../../../src/base/errors.js';
import { MemoryStore } from '../../../src/cas/memory-store.js';

/** Counts open handles and writes under way, and remembers how writes ended. */
export class WatchedStore extends MemoryStore {
  openHandles = 0;
  readonly writes: string[] = [];
  /** How the source of a write ended, whatever the store made of it. */
  readonly sources: string[] = [];

  override async open(hash: BlobHash): Promise<BlobHandle | undefined> {
    const handle = await super.open(hash);
    if (handle === undefined) return undefined;
    this.openHandles++;
    let closed = false;
    return {
      digest: handle.digest,
      localPath: '/data/blob',
      read: (range) => handle.read(range),
      close: async () => {
        if (!closed) this.openHandles--;
        closed = true;
      },
    };
  }

  override async write(source: BlobSource, options?: WriteOptions): Promise<WriteResult> {
    const at = this.writes.push('under way') - 1;
    try {
      const result = await super.write(source instanceof Uint8Array ? source : this.#watched(source), options);
      this.writes[at] = 'done';
      return result;
    } catch (error) {
      this.writes[at] = error instanceof CairnError ? error.code : 'other';
      throw error;
    }
  }

  async *#watched(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* source;
      this.sources.push('complete');
    } catch (error) {
      this.sources.push('failed');
      throw error;
    }
  }
}
