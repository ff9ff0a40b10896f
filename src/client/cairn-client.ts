// The client: blobs by digest, over RPC. All methods may be called concurrently, share one connection, take an
// AbortSignal and fail with a `CairnError`, or with what the caller's own source threw; `unavailable` is what a server that cannot be reached looks like.

import type { BlobSource, BlobStat, WriteResult } from '../base/blob-store.js';
import { concatBytes } from '../base/bytes.js';
import { type Clock, systemClock } from '../base/clock.js';
import { type BlobHash, type Digest, formatHash } from '../base/digest.js';
import { CairnError } from '../base/errors.js';
import { interruptible } from '../base/interruptible.js';
import { limits } from '../base/limits.js';
import { type Random, systemRandom } from '../base/random.js';
import { resolveRange } from '../base/range.js';
import { digestBlob } from '../blake3/hasher.js';
import type { KvStore } from '../meta/kv.js';
import type { AccountClient } from './account-client.js';
import { batchRead, batchWrite } from './batch.js';
import { packBlobs } from './blob-pack.js';
import type { CallParts } from './call-parts.js';
import { download } from './download.js';
import { toCairnError } from './error-codes.js';
import type { MemberClient } from './member-client.js';
import { decodeTreeCheck, encodeBytes } from './message.js';
import { negotiate } from './negotiate.js';
import type { ClientTransport } from './node-transport.js';
import { type PutItem, type PutManyOptions, type PutPack, type PutSummary, putMany } from './put-many.js';
import type { Services } from './services.js';
import { TransportLease } from './transport-lease.js';
import { upload } from './upload.js';
import { decodeDigest, inRunsOf, isDigest } from './wire.js';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface ListAfterOptions extends CallOptions {
  readonly after?: BlobHash | undefined;
}

export interface RangeOptions extends CallOptions {
  /** Offset of the first byte wanted; 0 by default. */
  readonly start?: number;
  /** How many bytes; to the end of the blob by default. */
  readonly length?: number;
}

export interface PutOptions extends CallOptions {
  /** The digest, when it is known. Then a stream is sent as it comes; otherwise it is first held in memory. */
  readonly expect?: Digest | undefined;
  readonly onSent?: ((bytes: number) => void) | undefined;
}

export type PutResult = Pick<WriteResult, 'digest' | 'existed'>;

export interface LocatedStat extends BlobStat {
  /** The blob's own file on the server's disk, when it has one and the caller is on the same machine. */
  readonly localPath: string | undefined;
}

export interface TreeCheck {
  /** Whether every node and every file of the tree is there. */
  readonly complete: boolean;
  /** Some of what is missing. What lies below a missing node is not known. */
  readonly missing: readonly Digest[];
}

export class CairnClient {
  readonly #connection: ClientTransport;
  readonly #transport: CallParts;
  #services: Promise<Services> | undefined;

  constructor(connection: ClientTransport, clock: Clock = systemClock, random: Random = systemRandom) {
    this.#connection = connection;
    const lease = new TransportLease(connection.call, clock);
    connection.onSessionEnd(() => lease.forget());
    this.#transport = { client: async () => (await this.#loaded()).transport, lease, clock, random };
  }

  #loaded(): Promise<Services> {
    this.#services ??= import('./services.js').then(({ createServices }) => createServices(this.#connection.transport));
    return this.#services;
  }

  /** Accounts and tokens of the server. */
  async accounts(): Promise<AccountClient> {
    const { AccountClient } = await import('./account-client.js');
    return new AccountClient(async () => (await this.#loaded()).accounts);
  }

  async #blobs(): Promise<Services['blobs']> {
    return (await this.#loaded()).blobs;
  }

  /** Those of the digests that the server lacks, in order. A blob of another size counts as missing. */
  missing(digests: readonly Digest[], { signal }: CallOptions = {}): Promise<Digest[]> {
    return negotiate(this.#connection.call, digests, signal);
  }

  /**
   * Stores one blob. `digest_mismatch` when the bytes are not what was expected; `too_large` for a stream of unknown
   * digest beyond `unnamedSourceBytesMax`.
   */
  async put(source: BlobSource, { expect, signal, onSent }: PutOptions = {}): Promise<PutResult> {
    if (expect === undefined) {
      const bytes =
        source instanceof Uint8Array
          ? source
          : await collect(interruptible(source, signal), limits.unnamedSourceBytesMax);
      return this.#put(bytes, digestBlob(bytes), { signal, onSent });
    }
    return this.#put(source, expect, { signal, onSent });
  }

  async #put(source: BlobSource, digest: Digest, { signal, onSent }: PutOptions): Promise<PutResult> {
    if (!(source instanceof Uint8Array) || source.length > limits.batchedBlobBytesMax) {
      return { digest, existed: await upload(this.#transport, digest, source, { signal, onSent }) };
    }
    const [outcome] = await batchWrite(this.#connection.call, packBlobs([{ digest, bytes: source }]), signal);
    if (outcome instanceof CairnError) throw outcome;
    onSent?.(source.length);
    return { digest, existed: outcome! };
  }

  /**
   * Stores many blobs, sending only what the server lacks. Rejects for what concerns them all (`unavailable`,
   * `no_space`, …); a blob that fails alone is told to `onOutcome` and counted.
   */
  putMany<Item extends PutItem, Pack extends PutPack = never>(
    items: Iterable<Item | Pack> | AsyncIterable<Item | Pack>,
    options: PutManyOptions<Item, Pack> = {},
  ): Promise<PutSummary> {
    return putMany(
      {
        missing: (digests, signal) => negotiate(this.#connection.call, digests, signal),
        batchWrite: (pack, signal) => batchWrite(this.#connection.call, pack, signal),
        upload: (digest, source, how) => upload(this.#transport, digest, source, how),
        concurrency: () => this.recommendedConcurrency(),
      },
      items,
      options,
    );
  }

  /**
   * The bytes of a blob or of a range of it; taken up again when the connection breaks. `not_found` when there is no
   * such blob, `out_of_range` when the range lies outside it, `corrupt` when a whole blob is not what its digest says.
   * The last piece of a whole blob comes only after that was checked; of a range only the length can be.
   */
  async *get(blob: BlobHash | Digest, { start = 0, length, signal }: RangeOptions = {}): AsyncGenerator<Uint8Array> {
    const digest = isDigest(blob) ? blob : await this.digestOf(blob, { signal });
    yield* download(this.#transport, digest, resolveRange(digest.size, start, length), signal);
  }

  /** The whole digest of a blob known by hash; `not_found` when there is none. */
  async digestOf(hash: BlobHash, { signal }: CallOptions = {}): Promise<Digest> {
    const [found] = await this.#statOnce([hash], false, signal);
    if (found === undefined) throw new CairnError('not_found', `there is no blob ${formatHash(hash)}`);
    return decodeDigest({ blake3: hash, sizeBytes: BigInt(found.size) });
  }

  /** For each digest, in order: the verified bytes, or undefined when there is no such blob. For small blobs. */
  async readBatch(digests: readonly Digest[], { signal }: CallOptions = {}): Promise<(Uint8Array | undefined)[]> {
    const small = digests.filter((digest) => digest.size <= limits.batchReadBytesMax);
    const read = (await batchRead(await this.#blobs(), small, signal)).values();
    const all: (Uint8Array | undefined)[] = [];
    for (const digest of digests) {
      if (digest.size <= limits.batchReadBytesMax) all.push(read.next().value);
      else all.push(await this.#readLarge(digest, signal));
    }
    return all;
  }

  async #readLarge(digest: Digest, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    try {
      return await collect(this.get(digest, { signal }), digest.size);
    } catch (error) {
      if (error instanceof CairnError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  /** For each hash, in order: the blob's size, or undefined when there is no such blob. */
  async stat(hashes: readonly BlobHash[], { signal }: CallOptions = {}): Promise<(BlobStat | undefined)[]> {
    return this.#statAll(hashes, false, signal);
  }

  /** As `stat`, with the place of the bytes. */
  locate(hashes: readonly BlobHash[], { signal }: CallOptions = {}): Promise<(LocatedStat | undefined)[]> {
    return this.#statAll(hashes, true, signal);
  }

  async #statAll(
    hashes: readonly BlobHash[],
    withLocalPath: boolean,
    signal: AbortSignal | undefined,
  ): Promise<(LocatedStat | undefined)[]> {
    const all: (LocatedStat | undefined)[] = [];
    for (const run of inRunsOf(hashes, limits.batchItemsCountMax)) {
      all.push(...(await this.#statOnce(run, withLocalPath, signal)));
    }
    return all;
  }

  async #statOnce(
    hashes: readonly BlobHash[],
    withLocalPath: boolean,
    signal: AbortSignal | undefined,
  ): Promise<(LocatedStat | undefined)[]> {
    const blobs = await this.#blobs();
    const { items } = await called(blobs.stat({ hashes: [...hashes], withLocalPath }, signal && { signal }), signal);
    return hashes.map((_, i) => {
      const item = items[i];
      return item?.sizeBytes === undefined ? undefined : { size: Number(item.sizeBytes), localPath: item.localPath };
    });
  }

  /** Every blob, in order of hash, or those after a hash. What changes meanwhile may or may not be seen. */
  async *list({ signal, after }: ListAfterOptions = {}): AsyncGenerator<Digest> {
    const blobs = await this.#blobs();
    let pageToken = '';
    do {
      const request = { pageSize: limits.listPageCountMax, pageToken };
      const { digests, nextPageToken } = await called(blobs.list(request, signal && { signal }), signal);
      for (const digest of digests) {
        // The server's page tokens are its own affair, so what lies before is read and passed over.
        if (after === undefined || isAfter(digest.blake3, after)) yield decodeDigest(digest);
      }
      pageToken = nextPageToken;
    } while (pageToken !== '');
  }

  /** For each hash, in order: was it there? */
  async delete(hashes: readonly BlobHash[], { signal }: CallOptions = {}): Promise<boolean[]> {
    const blobs = await this.#blobs();
    const all: boolean[] = [];
    for (const run of inRunsOf(hashes, limits.batchItemsCountMax)) {
      all.push(...(await called(blobs.delete({ hashes: [...run] }, signal && { signal }), signal)).deleted);
    }
    return all;
  }

  /** Does the server have all of a tree? `not_found` when it lacks the root. */
  async checkTree(root: BlobHash, { signal }: CallOptions = {}): Promise<TreeCheck> {
    const answer = this.#connection.call('/cairn.v1.TreeService/CheckTree', encodeBytes(root), signal);
    return decodeTreeCheck(await called(answer, signal));
  }

  /** The server's metadata, for admins. It is of no use any more when this client is closed. */
  async metadata(): Promise<KvStore> {
    const { RemoteKv } = await import('./remote-kv.js');
    const { transport, call } = this.#connection;
    const { clock, random } = this.#transport;
    return new RemoteKv({ transport, call, clock, random });
  }

  /** Who keeps the server's metadata together, where a Raft group does. */
  async members(): Promise<MemberClient> {
    const { MemberClient } = await import('./member-client.js');
    return new MemberClient(this.#connection.transport);
  }

  /** How many transfers at once serve this server best. */
  recommendedConcurrency(): Promise<number> {
    return this.#transport.lease.concurrency();
  }

  /** Ends the connection; calls under way fail. */
  close(): void {
    this.#connection.close();
  }
}

function isAfter(hash: Uint8Array, other: Uint8Array): boolean {
  for (let i = 0; i < hash.length; i++) if (hash[i] !== other[i]) return hash[i]! > other[i]!;
  return false;
}

async function called<Answer>(answer: Promise<Answer>, signal: AbortSignal | undefined): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw toCairnError(error, signal);
  }
}

/** Copies: `slice` of a Buffer would not. */
async function collect(source: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of source) {
    length += piece.length;
    if (length > bytesMax)
      throw new CairnError('too_large', `a stream of unknown digest has more than ${bytesMax} bytes`);
    pieces.push(new Uint8Array(piece));
  }
  return concatBytes(pieces);
}
