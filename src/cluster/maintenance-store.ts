// A `BlobStore` that takes no new blobs while its node is in maintenance: `no_node`. Everything else passes.

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
import type { BlobHash, Digest } from '../base/digest.js';
import type { CairnError } from '../base/errors.js';
import type { Maintenance } from './maintenance.js';

export class MaintenanceStore implements BlobStore {
  readonly #store: BlobStore;
  readonly #maintenance: Pick<Maintenance, 'refuseWrites'>;

  constructor(store: BlobStore, maintenance: Pick<Maintenance, 'refuseWrites'>) {
    this.#store = store;
    this.#maintenance = maintenance;
  }

  async write(source: BlobSource, options?: WriteOptions): Promise<WriteResult> {
    this.#maintenance.refuseWrites();
    return this.#store.write(source, options);
  }

  async writeMany(blobs: readonly NamedBlob[], options?: WriteManyOptions): Promise<(WriteResult | CairnError)[]> {
    this.#maintenance.refuseWrites();
    return this.#store.writeMany(blobs, options);
  }

  stat(hashes: readonly BlobHash[]): Promise<(BlobStat | undefined)[]> {
    return this.#store.stat(hashes);
  }

  open(hash: BlobHash): Promise<BlobHandle | undefined> {
    return this.#store.open(hash);
  }

  delete(hashes: readonly BlobHash[]): Promise<boolean[]> {
    return this.#store.delete(hashes);
  }

  list(options: ListOptions): Promise<Digest[]> {
    return this.#store.list(options);
  }

  usage(): Promise<StoreUsage> {
    return this.#store.usage();
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
