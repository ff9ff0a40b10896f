// A `BlobStore` that forgets: for tests, and the plainest example of what the interface asks for.

import type {
  BlobHandle,
  BlobSource,
  BlobStat,
  BlobStore,
  ListOptions,
  NamedBlob,
  StoreUsage,
  WriteManyOptions,
  WriteOptions,
  WriteResult,
} from '../base/blob-store.js';
import { concatBytes } from '../base/bytes.js';
import { type BlobHash, type Digest, emptyDigest, hashHex } from '../base/digest.js';
import { assert, CairnError } from '../base/errors.js';
import { Interruptible, refuseWhenCanceled } from '../base/interruptible.js';
import { limits } from '../base/limits.js';
import type { ByteRange } from '../base/range.js';
import { writeEach } from '../base/write-each.js';
import { digestBlob } from '../blake3/hasher.js';
import { checkExpected } from './write-checks.js';

interface Held {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

const emptyHex = hashHex(emptyDigest.hash);
const emptyBlob: Held = { digest: emptyDigest, bytes: new Uint8Array(0) };

export class MemoryStore implements BlobStore {
  readonly #blobs = new Map<string, Held>();
  readonly #writes = new Set<Promise<WriteResult>>();
  #closed = false;

  #find(hash: BlobHash): Held | undefined {
    const hex = hashHex(hash);
    return hex === emptyHex ? emptyBlob : this.#blobs.get(hex);
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new CairnError('unavailable', 'the store is closed');
  }

  async stat(hashes: readonly BlobHash[]): Promise<(BlobStat | undefined)[]> {
    this.#refuseWhenClosed();
    return hashes.map((hash) => {
      const held = this.#find(hash);
      return held && { size: held.digest.size };
    });
  }

  async open(hash: BlobHash): Promise<BlobHandle | undefined> {
    this.#refuseWhenClosed();
    const held = this.#find(hash);
    return held && new MemoryHandle(held);
  }

  async write(source: BlobSource, options: WriteOptions = {}): Promise<WriteResult> {
    this.#refuseWhenClosed();
    const write = this.#write(source, options);
    this.#writes.add(write);
    try {
      return await write;
    } finally {
      this.#writes.delete(write);
    }
  }

  async writeMany(blobs: readonly NamedBlob[], options?: WriteManyOptions): Promise<(WriteResult | CairnError)[]> {
    this.#refuseWhenClosed();
    return writeEach(this, blobs, options);
  }

  async #write(source: BlobSource, { expect, signal }: WriteOptions): Promise<WriteResult> {
    const bytes = await collect(source, expect, signal);
    const digest = digestBlob(bytes);
    checkExpected(expect, digest);
    refuseWhenCanceled(signal);
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
    this.#refuseWhenClosed();
    let bytes = 0;
    for (const held of this.#blobs.values()) bytes += held.digest.size;
    return { blobs: this.#blobs.size, bytes };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#writes);
  }
}

class MemoryHandle implements BlobHandle {
  readonly localPath = undefined;
  readonly #held: Held;
  #closed = false;

  constructor(held: Held) {
    this.#held = held;
  }

  get digest(): Digest {
    return this.#held.digest;
  }

  async read({ start, end }: ByteRange): Promise<Uint8Array> {
    assert(!this.#closed, 'a closed handle is not read');
    assert(start >= 0 && start <= end && end <= this.digest.size, `${start}–${end} lies inside the blob`);
    assert(end - start <= limits.readBytesMax, 'a read is at most readBytesMax long');
    return this.#held.bytes.slice(start, end);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

/** The source's bytes in memory of their own; stops when there are more than expected, or when canceled. */
async function collect(
  source: BlobSource,
  expect: Digest | undefined,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  refuseWhenCanceled(signal);
  if (source instanceof Uint8Array) return new Uint8Array(source);
  const reader = new Interruptible(source);
  const cancel = () =>
    reader.interrupt(new CairnError('canceled', 'the write was canceled', { cause: signal?.reason }));
  signal?.addEventListener('abort', cancel);
  try {
    const pieces: Uint8Array[] = [];
    let size = 0;
    for (let piece = await reader.next(); piece !== undefined; piece = await reader.next()) {
      size += piece.length;
      if (expect !== undefined && size > expect.size) {
        throw new CairnError('digest_mismatch', `expected ${expect.size} bytes, got more`);
      }
      // Not by `slice`, which shares memory when the piece is a `Buffer`.
      pieces.push(new Uint8Array(piece));
    }
    return concatBytes(pieces);
  } finally {
    signal?.removeEventListener('abort', cancel);
    reader.abandon();
  }
}
