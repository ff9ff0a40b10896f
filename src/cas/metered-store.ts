// A `BlobStore` that tells an observer about each operation on the store behind it. It knows no metrics library: whoever
// composes the server turns reports into counters.

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
import type { Clock } from '../base/clock.js';
import type { BlobHash, Digest } from '../base/digest.js';
import { CairnError, type ErrorCode, errorCode } from '../base/errors.js';
import type { ByteRange } from '../base/range.js';

export interface StoreOperation {
  readonly name: 'stat' | 'open' | 'read' | 'write' | 'write_many' | 'delete' | 'list' | 'usage';
  /** From the call to its answer, by the monotonic clock; a write's time includes waiting for its source. */
  readonly milliseconds: number;
  /** Of many blobs written, the first failure's. */
  readonly outcome: ErrorCode | 'ok';
  /** Bytes of blobs carried: what a read answered, the sizes of blobs written; 0 for everything else and on failure. */
  readonly bytes: number;
}

export interface MeteredStoreParts {
  readonly store: BlobStore;
  readonly clock: Clock;
  /** Called once as each operation ends, before its caller learns of it. Must not throw. */
  readonly observe: (operation: StoreOperation) => void;
}

export class MeteredStore implements BlobStore {
  readonly #parts: MeteredStoreParts;

  constructor(parts: MeteredStoreParts) {
    this.#parts = parts;
  }

  async #metered<T>(
    name: StoreOperation['name'],
    run: () => Promise<T>,
    bytesOf: (answer: T) => number,
    outcomeOf: (answer: T) => StoreOperation['outcome'] = () => 'ok',
  ): Promise<T> {
    const { clock, observe } = this.#parts;
    const start = clock.monotonic();
    let answer: T;
    try {
      answer = await run();
    } catch (error) {
      observe({ name, milliseconds: clock.monotonic() - start, outcome: errorCode(error), bytes: 0 });
      throw error;
    }
    observe({ name, milliseconds: clock.monotonic() - start, outcome: outcomeOf(answer), bytes: bytesOf(answer) });
    return answer;
  }

  stat(hashes: readonly BlobHash[]): Promise<(BlobStat | undefined)[]> {
    return this.#metered('stat', () => this.#parts.store.stat(hashes), none);
  }

  async open(hash: BlobHash): Promise<BlobHandle | undefined> {
    const handle = await this.#metered('open', () => this.#parts.store.open(hash), none);
    if (handle === undefined) return undefined;
    const read = (range: ByteRange, scratch?: Uint8Array) =>
      this.#metered(
        'read',
        () => handle.read(range, scratch),
        (bytes) => bytes.length,
      );
    return { digest: handle.digest, localPath: handle.localPath, read, close: () => handle.close() };
  }

  write(source: BlobSource, options?: WriteOptions): Promise<WriteResult> {
    return this.#metered(
      'write',
      () => this.#parts.store.write(source, options),
      (result) => result.digest.size,
    );
  }

  writeMany(blobs: readonly NamedBlob[], options?: WriteManyOptions): Promise<(WriteResult | CairnError)[]> {
    return this.#metered(
      'write_many',
      () => this.#parts.store.writeMany(blobs, options),
      (answers) => answers.reduce((sum, answer) => (answer instanceof CairnError ? sum : sum + answer.digest.size), 0),
      (answers) => answers.find((answer) => answer instanceof CairnError)?.code ?? 'ok',
    );
  }

  delete(hashes: readonly BlobHash[]): Promise<boolean[]> {
    return this.#metered('delete', () => this.#parts.store.delete(hashes), none);
  }

  list(options: ListOptions): Promise<Digest[]> {
    return this.#metered('list', () => this.#parts.store.list(options), none);
  }

  usage(): Promise<StoreUsage> {
    return this.#metered('usage', () => this.#parts.store.usage(), none);
  }

  close(): Promise<void> {
    return this.#parts.store.close();
  }
}

const none = () => 0;
