// A `BlobStore` that forgets: for tests, and the plainest example of what the interface asks for.

import type {
  BlobHandle,
  BlobSource,
  BlobStat,
  BlobStore,
  ListOptions,
  StoreUsage,
  WriteOptions,
  WriteResult,
} from '../base/blob-store.js';
import { concatBytes } from '../base/bytes.js';
import { type BlobHash, type Digest, emptyDigest, hashHex } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { digestBlob } from '../blake3/hasher.js';
import { checkExpected, refuseWhenCanceled } from './write-checks.js';

interface Held {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

const emptyBlob: Held = { digest: emptyDigest, bytes: new Uint8Array(0) };

export class MemoryStore implements BlobStore {
  readonly #blobs = new Map<string, Held>();
  #closed = false;

  #find(hash: BlobHash): Held | undefined {
    this.#refuseWhenClosed();
    const hex = hashHex(hash);
    return hex === hashHex(emptyDigest.hash) ? emptyBlob : this.#blobs.get(hex);
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new CairnError('unavailable', 'the store is closed');
  }

  async stat(hashes: readonly BlobHash[]): Promise<(BlobStat | undefined)[]> {
    return hashes.map((hash) => {
      const held = this.#find(hash);
      return held && { size: held.digest.size };
    });
  }

  async open(hash: BlobHash): Promise<BlobHandle | undefined> {
    const held = this.#find(hash);
    if (held === undefined) return undefined;
    return {
      digest: held.digest,
      localPath: undefined,
      read: async ({ start, end }) => held.bytes.slice(start, end),
      close: async () => {},
    };
  }

  async write(source: BlobSource, options: WriteOptions = {}): Promise<WriteResult> {
    this.#refuseWhenClosed();
    const bytes = source instanceof Uint8Array ? source.slice() : await collect(source, options.signal);
    const digest = digestBlob(bytes);
    checkExpected(options.expect, digest);
    refuseWhenCanceled(options.signal);
    const existed = this.#find(digest.hash) !== undefined;
    if (!existed) this.#blobs.set(hashHex(digest.hash), { digest, bytes });
    return { digest, existed, durability: 'memory' };
  }

  async delete(hashes: readonly BlobHash[]): Promise<boolean[]> {
    this.#refuseWhenClosed();
    return hashes.map((hash) => this.#blobs.delete(hashHex(hash)));
  }

  async list({ after, limit }: ListOptions): Promise<Digest[]> {
    this.#refuseWhenClosed();
    const from = after === undefined ? '' : hashHex(after);
    const later = [...this.#blobs.keys()].filter((hex) => hex > from).sort();
    return later.slice(0, limit).map((hex) => this.#blobs.get(hex)!.digest);
  }

  async usage(): Promise<StoreUsage> {
    let bytes = 0;
    for (const held of this.#blobs.values()) bytes += held.digest.size;
    return { blobs: this.#blobs.size, bytes };
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

async function collect(source: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) {
    refuseWhenCanceled(signal);
    pieces.push(piece.slice());
  }
  return concatBytes(pieces);
}
