// A `BlobStore` whose blobs are on a server, over a `CairnClient`. It differs from a store at hand in three things:
//   - a handle does not keep a blob that is deleted: reading on gives `not_found`;
//   - the calls do not tell how durable a write is, so whoever opens the store says what that server promises;
//   - the server counts blobs but not their bytes, so `usage` lists them all.

import type {
  BlobHandle,
  BlobSource,
  BlobStat,
  BlobStore,
  Durability,
  ListOptions,
  NamedBlob,
  StoreUsage,
  WriteManyOptions,
  WriteOptions,
  WriteResult,
} from '../base/blob-store.js';
import { concatBytes } from '../base/bytes.js';
import { type BlobHash, type Digest, toDigest } from '../base/digest.js';
import { assert, CairnError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { writeEach } from '../base/write-each.js';
import type { CairnClient } from './cairn-client.js';

export interface RemoteStoreParts {
  /** Closed with the store. */
  readonly client: CairnClient;
  /** What the server promises of an answered write. */
  readonly durability: Durability;
}

export class RemoteStore implements BlobStore {
  readonly #client: CairnClient;
  readonly #durability: Durability;
  readonly #writes = new Set<Promise<unknown>>();
  #closed = false;

  constructor({ client, durability }: RemoteStoreParts) {
    this.#client = client;
    this.#durability = durability;
  }

  async stat(hashes: readonly BlobHash[]): Promise<(BlobStat | undefined)[]> {
    this.#refuseWhenClosed();
    return this.#client.stat(hashes);
  }

  async open(hash: BlobHash): Promise<BlobHandle | undefined> {
    this.#refuseWhenClosed();
    const [found] = await this.#client.locate([hash]);
    if (found === undefined) return undefined;
    const digest = toDigest(hash, found.size);
    let open = true;
    return {
      digest,
      localPath: found.localPath,
      read: async ({ start, end }) => {
        assert(open && start >= 0 && start <= end && end <= digest.size, 'a read of an open handle, inside the blob');
        assert(end - start <= limits.readBytesMax, 'a read no longer than readBytesMax');
        this.#refuseWhenClosed();
        return collect(this.#client.get(digest, { start, length: end - start }));
      },
      close: async () => {
        open = false;
      },
    };
  }

  async write(source: BlobSource, { expect, signal }: WriteOptions = {}): Promise<WriteResult> {
    this.#refuseWhenClosed();
    const write = this.#client.put(source, { expect, signal });
    this.#writes.add(write);
    try {
      return { ...(await write), durability: this.#durability };
    } finally {
      this.#writes.delete(write);
    }
  }

  async writeMany(blobs: readonly NamedBlob[], options?: WriteManyOptions): Promise<(WriteResult | CairnError)[]> {
    this.#refuseWhenClosed();
    return writeEach(this, blobs, options);
  }

  async delete(hashes: readonly BlobHash[]): Promise<boolean[]> {
    this.#refuseWhenClosed();
    return this.#client.delete(hashes);
  }

  async list({ after, limit }: ListOptions): Promise<Digest[]> {
    this.#refuseWhenClosed();
    const listed: Digest[] = [];
    if (limit === 0) return listed;
    for await (const digest of this.#client.list({ after })) {
      listed.push(digest);
      if (listed.length === limit) break;
    }
    return listed;
  }

  async usage(): Promise<StoreUsage> {
    this.#refuseWhenClosed();
    let blobs = 0;
    let bytes = 0;
    for await (const { size } of this.#client.list()) {
      blobs++;
      bytes += size;
    }
    return { blobs, bytes };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#writes);
    this.#client.close();
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new CairnError('unavailable', 'the store is closed');
  }
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  // A piece is a view into a message; what is handed out is the caller's own.
  return all.length === 1 ? new Uint8Array(all[0]!) : concatBytes(all);
}
