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
import { type BlobPack, packBlobs, selectBlobs } from './blob-pack.js';
import { sourceError, toCairnError } from './error-codes.js';
import { Slots } from './slots.js';
import type { UploadOptions } from './upload.js';

export interface PutItem {
  readonly digest: Digest;
  /** The blob's bytes from the start. Called only if the server lacks the blob, perhaps more than once. */
  open(): BlobSource | Promise<BlobSource>;
}

/** Small blobs that are at hand already, in the form in which they travel. At most what fits into one BatchWrite. */
export interface PutPack {
  readonly pack: BlobPack;
}

export type PutOutcome =
  | { readonly status: 'uploaded' | 'present' }
  | { readonly status: 'failed'; readonly error: CairnError };

export interface PutManyOptions<Item extends PutItem, Pack extends PutPack = never> extends UploadOptions {
  /** Told once for every item, in no particular order. */
  readonly onOutcome?: ((item: Item, outcome: PutOutcome) => void) | undefined;
  /** The same for every blob of a pack, by its index. */
  readonly onPackOutcome?: ((pack: Pack, index: number, outcome: PutOutcome) => void) | undefined;
  /** Told once for every pack, when its bytes are not needed any more. */
  readonly onPackEnd?: ((pack: Pack) => void) | undefined;
  /** Told once for every different blob that the server lacks. */
  readonly onMissing?: ((digest: Digest) => void) | undefined;
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
  batchWrite(pack: BlobPack, signal: AbortSignal | undefined): Promise<(boolean | CairnError)[]>;
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
  'overloaded',
  'storage',
  'internal',
  'unimplemented',
]);

export async function putMany<Item extends PutItem, Pack extends PutPack = never>(
  calls: PutCalls,
  items: Iterable<Item | Pack> | AsyncIterable<Item | Pack>,
  options: PutManyOptions<Item, Pack>,
): Promise<PutSummary> {
  return new Put<Item, Pack>(calls, options).run(items);
}

const present: PutOutcome = { status: 'present' };
const uploaded: PutOutcome = { status: 'uploaded' };

/** Items of one digest, one at least: the bytes travel once, and where one cannot be read the next is tried. */
type Equals<Item> = readonly Item[];

/** One run of `putMany`. */
class Put<Item extends PutItem, Pack extends PutPack> {
  readonly #groups = new Slots(limits.putGroupsUnderWayCountMax);
  /** How many there are is asked when something is to be sent: most runs of a sync send nothing. */
  #transfers: Promise<Slots> | undefined;
  readonly #sum = { uploadedCount: 0, uploadedBytes: 0, presentCount: 0, presentBytes: 0, failedCount: 0 };
  /** Ends what is still under way once the whole has failed. */
  readonly #failed = new AbortController();
  readonly #signal: AbortSignal;

  constructor(
    private readonly calls: PutCalls,
    private readonly options: PutManyOptions<Item, Pack>,
  ) {
    this.#signal = options.signal ? AbortSignal.any([options.signal, this.#failed.signal]) : this.#failed.signal;
  }

  async run(items: Iterable<Item | Pack> | AsyncIterable<Item | Pack>): Promise<PutSummary> {
    try {
      for await (const group of inGroups<Item, Pack>(items)) {
        if (this.#signal.aborted) break;
        await this.#groups.start(() => this.#endingAll('pack' in group ? this.#putPack(group) : this.#putGroup(group)));
      }
    } finally {
      // Groups start transfers, so they come first. Whoever failed has said so to `#failed`.
      await this.#groups.drain().catch(() => {});
      await this.#transfers?.then((transfers) => transfers.drain()).catch(() => {});
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
    for (const digest of wanted) this.options.onMissing?.(digest);
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

  /** Resolves when the pack has been sent, if anything in it was missing. */
  async #putPack(pack: Pack): Promise<void> {
    const { digests } = pack.pack;
    const wanted = await this.calls.missing(digests, this.#signal);
    for (const digest of wanted) this.options.onMissing?.(digest);
    if (wanted.length === digests.length) {
      const indexes = digests.map((_, index) => index);
      await this.#transfer(() => this.#sendPack(pack, pack.pack, indexes));
      return;
    }
    const missing = new Set(wanted.map(digestKey));
    const indexes: number[] = [];
    for (const [index, digest] of digests.entries()) {
      // Of equal blobs only the first travels.
      if (missing.size > 0 && missing.delete(digestKey(digest))) indexes.push(index);
      else this.#settlePacked(pack, index, present);
    }
    const selected = indexes.length > 0 ? selectBlobs(pack.pack, indexes) : undefined;
    if (selected !== undefined) await this.#transfer(() => this.#sendPack(pack, selected, indexes));
    else this.options.onPackEnd?.(pack);
  }

  async #sendPack(pack: Pack, selected: BlobPack, indexes: readonly number[]): Promise<void> {
    const outcomes = await this.calls.batchWrite(selected, this.#signal);
    for (const [i, outcome] of outcomes.entries()) {
      const index = indexes[i]!;
      if (outcome instanceof CairnError) {
        if (endsAll.has(outcome.code)) throw outcome;
        this.#settlePacked(pack, index, { status: 'failed', error: outcome });
      } else {
        this.options.onSent?.(selected.digests[i]!.size);
        this.#settlePacked(pack, index, outcome ? present : uploaded);
      }
    }
    this.options.onPackEnd?.(pack);
  }

  async #transfer(work: () => Promise<void>): Promise<void> {
    this.#transfers ??= this.calls.concurrency().then((count) => new Slots(count));
    await (await this.#transfers).start(() => this.#endingAll(work()));
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
    const outcomes = await this.calls.batchWrite(packBlobs(read.map(({ blob }) => blob)), this.#signal);
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
    this.#count(item.digest, outcome);
    this.options.onOutcome?.(item, outcome);
  }

  #settlePacked(pack: Pack, index: number, outcome: PutOutcome): void {
    this.#count(pack.pack.digests[index]!, outcome);
    this.options.onPackOutcome?.(pack, index, outcome);
  }

  #count({ size }: Digest, { status }: PutOutcome): void {
    if (status === 'failed') this.#sum.failedCount++;
    else {
      this.#sum[`${status}Count`]++;
      this.#sum[`${status}Bytes`] += size;
    }
  }
}

/** Runs of at most `putGroupCountMax` items that end with the one that reaches `putGroupBytesMax`; packs as they are. */
async function* inGroups<Item extends PutItem, Pack extends PutPack>(
  items: Iterable<Item | Pack> | AsyncIterable<Item | Pack>,
): AsyncGenerator<readonly Item[] | Pack> {
  let group: Item[] = [];
  let bytes = 0;
  for await (const item of items) {
    if ('pack' in item) {
      yield item;
      continue;
    }
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
