// A `BlobStore` that does not take the store behind it at its word: `corrupt` when what it answers is not what it must be.
// Checked are
//   - writes: the bytes that passed through against the digest answered. Where the store answered without reading the
//     source to its end, because it had the blob already, only the answer against `expect`;
//   - each read: its length, and the digest of its handle against the hash asked for;
//   - whole blobs: a run of reads on one handle that starts at 0 and goes on without gaps to the end, however it is cut,
//     against the digest; the read that completes it fails. A read elsewhere ends the run, a read at 0 begins a new one,
//     and empty reads do not count. Reads under way at the same time count in the order in which they are answered.
// Ranges alone, `localPath` and what `stat` and `list` say cannot be checked here.

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
import { type BlobHash, type Digest, formatHash, hashesEqual } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import type { ByteRange } from '../base/range.js';
import type { Hasher } from '../blake3/hash-engine.js';
import { createHasher, digestBlob } from '../blake3/hasher.js';

export class VerifyingStore implements BlobStore {
  readonly #store: BlobStore;

  constructor(store: BlobStore) {
    this.#store = store;
  }

  async write(source: BlobSource, options?: WriteOptions): Promise<WriteResult> {
    if (source instanceof Uint8Array) {
      const result = await this.#store.write(source, options);
      checkSame('a write', digestBlob(source), result.digest);
      return result;
    }
    const witness = new Witness(source);
    try {
      const result = await this.#store.write(witness, options);
      const actual = witness.digest() ?? options?.expect;
      if (actual !== undefined) checkSame('a write', actual, result.digest);
      return result;
    } finally {
      witness.discard();
    }
  }

  async writeMany(blobs: readonly NamedBlob[], options?: WriteManyOptions): Promise<(WriteResult | CairnError)[]> {
    const answers = await this.#store.writeMany(blobs, options);
    return answers.map((answer, index) => {
      if (answer instanceof CairnError) return answer;
      try {
        checkSame('a write', digestBlob(blobs[index]!.bytes), answer.digest);
        return answer;
      } catch (error) {
        return error as CairnError;
      }
    });
  }

  async open(hash: BlobHash): Promise<BlobHandle | undefined> {
    const handle = await this.#store.open(hash);
    if (handle === undefined) return undefined;
    if (!hashesEqual(hash, handle.digest.hash)) {
      await handle.close();
      throw new CairnError('corrupt', `asked for ${formatHash(hash)}, got ${formatHash(handle.digest.hash)}`);
    }
    return new VerifyingHandle(handle);
  }

  stat(hashes: readonly BlobHash[]): Promise<(BlobStat | undefined)[]> {
    return this.#store.stat(hashes);
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

function checkSame(what: string, actual: Digest, claimed: Digest): void {
  if (actual.size === claimed.size && hashesEqual(actual.hash, claimed.hash)) return;
  const [is, said] = [actual, claimed].map(({ hash, size }) => `${formatHash(hash)} (${size} bytes)`);
  throw new CairnError('corrupt', `${what} gave ${is} under the name ${said}`);
}

/** Hashes a source's pieces as they pass. */
class Witness implements AsyncIterable<Uint8Array> {
  readonly #source: AsyncIterable<Uint8Array>;
  #hasher: Hasher | undefined;
  #complete: Digest | undefined;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
    this.#hasher = createHasher();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of this.#source) {
      this.#hasher?.update(piece);
      yield piece;
    }
    this.#complete = this.#hasher?.digest();
    this.#hasher = undefined;
  }

  /** Undefined unless the source was read to its end. */
  digest(): Digest | undefined {
    return this.#complete;
  }

  discard(): void {
    this.#hasher?.discard();
    this.#hasher = undefined;
  }
}

class VerifyingHandle implements BlobHandle {
  readonly #handle: BlobHandle;
  /** The run of reads so far: undefined when there is none to go on with. */
  #hasher: Hasher | undefined;
  #hashedBytes = 0;
  #closed = false;

  constructor(handle: BlobHandle) {
    this.#handle = handle;
  }

  get digest(): Digest {
    return this.#handle.digest;
  }

  get localPath(): string | undefined {
    return this.#handle.localPath;
  }

  async read(range: ByteRange): Promise<Uint8Array> {
    const bytes = await this.#handle.read(range);
    if (bytes.length !== range.end - range.start) {
      throw new CairnError('corrupt', `asked for ${range.end - range.start} bytes, got ${bytes.length}`);
    }
    if (bytes.length > 0 && !this.#closed) this.#follow(range.start, bytes);
    return bytes;
  }

  #follow(start: number, bytes: Uint8Array): void {
    if (start === 0) {
      this.#stop();
      this.#hasher = createHasher();
    } else if (start !== this.#hashedBytes) {
      this.#stop();
    }
    if (this.#hasher === undefined) return;
    this.#hasher.update(bytes);
    this.#hashedBytes = start + bytes.length;
    if (this.#hashedBytes < this.digest.size) return;
    const actual = this.#hasher.digest();
    this.#hasher = undefined;
    checkSame('reading', actual, this.digest);
  }

  #stop(): void {
    this.#hasher?.discard();
    this.#hasher = undefined;
    this.#hashedBytes = 0;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stop();
    await this.#handle.close();
  }
}
