// Many blobs to the server: asks in groups which are missing, sends the small ones together and the large ones by
// themselves, as many transfers at once as the server recommends. Memory is bounded: items are taken from the source
// group by group, and bytes are read when a transfer has its turn.
//
// A blob that cannot be read or is refused fails alone. What concerns them all (no connection, no permission, no space)
// ends the whole with the error.

import type { BlobSource, NamedBlob } from '../base/blob-store.js';
import { concatBytes } from '../base/bytes.js';
import { type Digest, digestKey } from '../base/digest.js';
import { CairnError, type ErrorCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { sourceError, toCairnError } from './error-codes.js';
import { Slots } from './slots.js';
import type { UploadOptions } from './upload.js';

export interface PutItem {
  readonly digest: Digest;
  /** The blob's bytes from the start. Called only if the server lacks the blob, perhaps more than once. */
  open(): BlobSource | Promise<BlobSource>;
}

export type PutOutcome =
  | { readonly status: 'uploaded' | 'present' }
  | { readonly status: 'failed'; readonly error: CairnError };

export interface PutManyOptions<Item extends PutItem> extends UploadOptions {
  /** Told once for every item, in no particular order. */
  readonly onOutcome?: ((item: Item, outcome: PutOutcome) => void) | undefined;
}

export interface PutSummary {
  readonly uploadedCount: number;
  readonly uploadedBytes: number;
  readonly presentCount: number;
  readonly presentBytes: number;
  readonly failedCount: number;
}

/** The calls that `putMany` is made of. */
export interface PutCalls {
  missing(digests: readonly Digest[], signal: AbortSignal | undefined): Promise<Digest[]>;
  batchWrite(blobs: readonly NamedBlob[], signal: AbortSignal | undefined): Promise<(boolean | CairnError)[]>;
  upload(digest: Digest, source: BlobSource, options: UploadOptions): Promise<boolean>;
  concurrency(): Promise<number>;
}

/** Errors that one blob's fate does not explain: every other would meet them too. */
const endsAll: ReadonlySet<ErrorCode> = new Set([
  'canceled',
  'unavailable',
  'timeout',
  'unauthenticated',
  'permission_denied',
  'no_space',
  'internal',
  'unimplemented',
]);

export async function putMany<Item extends PutItem>(
  calls: PutCalls,
  items: Iterable<Item> | AsyncIterable<Item>,
  options: PutManyOptions<Item>,
): Promise<PutSummary> {
  return new Put<Item>(calls, options, new Slots(await calls.concurrency())).run(items);
}

const present: PutOutcome = { status: 'present' };
const uploaded: PutOutcome = { status: 'uploaded' };

/** Items of one digest, one at least: the bytes travel once, and where one cannot be read the next is tried. */
type Equals<Item> = readonly Item[];

/** One run of `putMany`. */
class Put<Item extends PutItem> {
  readonly #groups = new Slots(limits.putGroupsUnderWayCountMax);
  readonly #sum = { uploadedCount: 0, uploadedBytes: 0, presentCount: 0, presentBytes: 0, failedCount: 0 };
  /** Ends what is still under way once the whole has failed. */
  readonly #failed = new AbortController();
  readonly #signal: AbortSignal;

  constructor(
    private readonly calls: PutCalls,
    private readonly options: PutManyOptions<Item>,
    private readonly transfers: Slots,
  ) {
    this.#signal = options.signal ? AbortSignal.any([options.signal, this.#failed.signal]) : this.#failed.signal;
  }

  async run(items: Iterable<Item> | AsyncIterable<Item>): Promise<PutSummary> {
    try {
      for await (const group of inGroups(items)) {
        if (this.#signal.aborted) break;
        await this.#groups.start(() => this.#endingAll(this.#putGroup(group)));
      }
    } finally {
      // Groups start transfers, so they come first. Whoever failed has said so to `#failed`.
      await this.#groups.drain().catch(() => {});
      await this.transfers.drain().catch(() => {});
    }
    const { reason } = this.#failed.signal;
    if (reason !== undefined) throw toCairnError(reason, this.options.signal);
    if (this.options.signal?.aborted) throw new CairnError('canceled', 'canceled');
    return this.#sum;
  }

  async #endingAll(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#failed.abort(error);
      throw error;
    }
  }

  /** Resolves when every upload of the group has been started. */
  async #putGroup(group: readonly Item[]): Promise<void> {
    const wanted = await this.calls.missing(
      group.map((item) => item.digest),
      this.#signal,
    );
    const missing = new Set(wanted.map(digestKey));
    const equals = new Map<string, Item[]>();
    for (const item of group) {
      const name = digestKey(item.digest);
      if (!missing.has(name)) this.#settle(item, present);
      else {
        const others = equals.get(name);
        if (others === undefined) equals.set(name, [item]);
        else others.push(item);
      }
    }
    const all = [...equals.values()];
    const isSmall = ([item]: Equals<Item>) => item!.digest.size <= limits.batchedBlobBytesMax;
    for (const batch of inBatches(all.filter(isSmall))) await this.#transfer(() => this.#putBatch(batch));
    for (const items of all) if (!isSmall(items)) await this.#transfer(() => this.#putOne(items));
  }

  #transfer(work: () => Promise<void>): Promise<void> {
    return this.transfers.start(() => this.#endingAll(work()));
  }

  async #putOne([item, ...others]: Equals<Item>): Promise<void> {
    if (item === undefined) return;
    try {
      const source = await opened(item);
      const { onSent } = this.options;
      const existed = await this.calls.upload(item.digest, source, { signal: this.#signal, onSent });
      this.#stored([item, ...others], existed);
    } catch (error) {
      this.#fail(item, error);
      await this.#putOne(others);
    }
  }

  async #putBatch(batch: readonly Equals<Item>[]): Promise<void> {
    const read: { readonly items: Equals<Item>; readonly blob: NamedBlob }[] = [];
    for (const items of batch) {
      const item = items[0]!;
      const { digest } = item;
      try {
        const source = opened(item);
        // Waits only where it must: there are thousands of these.
        const bytes = source instanceof Uint8Array ? checkLength(source, digest) : await bytesOf(await source, digest);
        read.push({ items, blob: { digest, bytes } });
      } catch (error) {
        this.#fail(item, error);
        await this.#putOne(items.slice(1));
      }
    }
    if (read.length === 0) return;
    const outcomes = await this.calls.batchWrite(
      read.map(({ blob }) => blob),
      this.#signal,
    );
    for (let i = 0; i < read.length; i++) {
      const { items, blob } = read[i]!;
      const outcome = outcomes[i]!;
      if (outcome instanceof CairnError) {
        this.#fail(items[0]!, outcome);
        await this.#putOne(items.slice(1));
      } else {
        this.options.onSent?.(blob.bytes.length);
        this.#stored(items, outcome);
      }
    }
  }

  #stored(items: Equals<Item>, existed: boolean): void {
    this.#settle(items[0]!, existed ? present : uploaded);
    for (let i = 1; i < items.length; i++) this.#settle(items[i]!, present);
  }

  /** Settles the one item, or throws what ends all. */
  #fail(item: Item, error: unknown): void {
    const failure = toCairnError(error, this.options.signal);
    if (endsAll.has(failure.code)) throw failure;
    this.#settle(item, { status: 'failed', error: failure });
  }

  #settle(item: Item, outcome: PutOutcome): void {
    if (outcome.status === 'failed') this.#sum.failedCount++;
    else {
      this.#sum[`${outcome.status}Count`]++;
      this.#sum[`${outcome.status}Bytes`] += item.digest.size;
    }
    this.options.onOutcome?.(item, outcome);
  }
}

/** Runs of at most `putGroupCountMax` items that end with the one that reaches `putGroupBytesMax`. */
async function* inGroups<Item extends PutItem>(
  items: Iterable<Item> | AsyncIterable<Item>,
): AsyncGenerator<readonly Item[]> {
  let group: Item[] = [];
  let bytes = 0;
  for await (const item of items) {
    group.push(item);
    bytes += item.digest.size;
    if (group.length < limits.putGroupCountMax && bytes < limits.putGroupBytesMax) continue;
    yield group;
    group = [];
    bytes = 0;
  }
  if (group.length > 0) yield group;
}

/** Runs whose blobs fit into one BatchWrite. */
function* inBatches<Item extends PutItem>(all: readonly Equals<Item>[]): Generator<readonly Equals<Item>[]> {
  let batch: Equals<Item>[] = [];
  let bytes = 0;
  for (const items of all) {
    const { size } = items[0]!.digest;
    if (batch.length === limits.batchItemsCountMax || bytes + size > limits.batchWriteBytesMax) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(items);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

/** At once where the item opens at once. */
function opened(item: PutItem): BlobSource | Promise<BlobSource> {
  try {
    const source = item.open();
    return 'then' in source ? openedLater(source) : guarded(source);
  } catch (error) {
    throw sourceError(error);
  }
}

async function openedLater(opening: Promise<BlobSource>): Promise<BlobSource> {
  try {
    return guarded(await opening);
  } catch (error) {
    throw sourceError(error);
  }
}

function guarded(source: BlobSource): BlobSource {
  return source instanceof Uint8Array ? source : failingAsSource(source);
}

async function* failingAsSource(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    throw sourceError(error);
  }
}

/** The whole of a small source; `digest_mismatch` as soon as it is longer than its digest says. */
async function bytesOf(source: BlobSource, digest: Digest): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return checkLength(source, digest);
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of source) {
    pieces.push(new Uint8Array(piece));
    length += piece.length;
    if (length > digest.size) break;
  }
  return checkLength(concatBytes(pieces), digest);
}

function checkLength(bytes: Uint8Array, digest: Digest): Uint8Array {
  if (bytes.length === digest.size) return bytes;
  throw new CairnError('digest_mismatch', `the source has other than ${digest.size} bytes`);
}
