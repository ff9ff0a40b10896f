// BlobService.BatchRead: many small blobs in one answer of bounded size. Sizes are asked first, so that what fits is
// decided in the order asked; then what fits is read, a few at a time.

import type { BlobStore } from '../../base/blob-store.js';
import { type Digest, formatHash } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { TurnBudget } from '../../base/node/turn-budget.js';
import { readInto } from '../../base/read-into.js';
import type { BatchReadRequest, ItemStatus } from '../../gen/cairn/v1/blob_service_pb.js';
import type { Digest as DigestMessage } from '../../gen/zako/v1/digest/digest_pb.js';
import type { BatchCall } from './batch-call.js';
import { concurrently } from './concurrently.js';
import { fromDigestMessage } from './digest-message.js';
import { itemFailure, itemSuccess } from './item-status.js';
import { refuseTooMany } from './missing-digests.js';

export interface BatchReadParts {
  readonly store: BlobStore;
  /** What all calls together do in one turn of the event loop. */
  readonly lookups: TurnBudget;
}

export interface ReadItem {
  readonly digest: DigestMessage;
  readonly data: Uint8Array;
  readonly status: ItemStatus;
}

/** A digest, or why it cannot be read. */
export type Planned = Digest | CairnError;

const noBytes = new Uint8Array(0);

/** Most bytes of an item besides its data and its status message: tags, lengths, digest, code. */
const binaryItemBytes = 64;
const jsonItemBytes = 192;

/** What reading a small blob costs, in look-ups, and the bytes that cost one more. */
const lookupsPerRead = 16;
const bytesPerLookup = 2048;

/** `too_large` for more than `batchItemsCountMax` digests; everything else is the status of an item. */
export async function batchRead(
  parts: BatchReadParts,
  { digests }: BatchReadRequest,
  call: BatchCall,
): Promise<{ items: ReadItem[] }> {
  refuseTooMany(digests.length, limits.batchItemsCountMax, 'digests');
  const plan = await planBatch(parts, digests.map(parse), call);
  return batchReadAnswer(digests, await readPlanned(parts, plan, call));
}

/** The answer, in which every digest is repeated. */
export function batchReadAnswer(
  digests: readonly DigestMessage[],
  outcomes: readonly (Uint8Array | ItemStatus)[],
): { items: ReadItem[] } {
  return {
    items: outcomes.map((outcome, index) => {
      const digest = digests[index]!;
      if (outcome instanceof Uint8Array) return { digest, data: outcome, status: itemSuccess };
      return { digest, data: noBytes, status: outcome };
    }),
  };
}

/** What of them is there, and fits into one answer. `overloaded` when all calls together hold too much. */
export async function planBatch(
  { store }: Pick<BatchReadParts, 'store'>,
  asked: readonly Planned[],
  { json, held }: BatchCall,
): Promise<Planned[]> {
  const plan = fitIntoAnswer(await findBlobs(store, asked), json);
  held?.take(plan.reduce((sum, item) => (item instanceof CairnError ? sum : sum + item.size), 0));
  return plan;
}

/** For each item its bytes, in its room where it has one, or what went wrong. */
export function readPlanned(
  { store, lookups }: BatchReadParts,
  plan: readonly Planned[],
  call: BatchCall,
  rooms: readonly Uint8Array[] = [],
): Promise<(Uint8Array | ItemStatus)[]> {
  return concurrently(plan, limits.batchConcurrencyMax, call.signal, async (item, index) => {
    try {
      if (item instanceof CairnError) throw item;
      // What the system has in memory is read without a turn of the event loop in between.
      const turn = lookups.take(lookupsPerRead + Math.ceil(item.size / bytesPerLookup));
      if (turn !== undefined) await turn;
      return await readWhole(store, item, rooms[index]);
    } catch (error) {
      return itemFailure(error, call.errors);
    }
  });
}

async function findBlobs(store: BlobStore, asked: readonly Planned[]): Promise<Planned[]> {
  const wellFormed = asked.filter((item): item is Digest => !(item instanceof CairnError));
  const stats = await store.stat(wellFormed.map(({ hash }) => hash));
  const sizes = new Map(wellFormed.map((digest, index) => [digest, stats[index]?.size]));
  return asked.map((item) => (item instanceof CairnError || sizes.get(item) === item.size ? item : notFound(item)));
}

function parse(message: DigestMessage): Planned {
  try {
    return fromDigestMessage(message);
  } catch (error) {
    if (error instanceof CairnError) return error;
    throw error;
  }
}

/** Items are admitted in order, while all later ones could still fail with the longest message there is. */
function fitIntoAnswer(items: readonly Planned[], json: boolean): Planned[] {
  const itemBytes = json ? jsonItemBytes : binaryItemBytes;
  const encodedBytes = (length: number) => (json ? 4 * Math.ceil(length / 3) : length);
  let freeBytes = limits.answerBytesMax - items.length * (itemBytes + limits.itemMessageCharactersMax);
  return items.map((item) => {
    if (item instanceof CairnError) return item;
    const dataBytes = encodedBytes(item.size) - limits.itemMessageCharactersMax;
    if (dataBytes > freeBytes) return new CairnError('too_large', 'did not fit into this answer');
    freeBytes -= dataBytes;
    return item;
  });
}

async function readWhole(store: BlobStore, { hash, size }: Digest, room?: Uint8Array): Promise<Uint8Array> {
  const handle = await store.open(hash);
  if (handle === undefined) throw notFound({ hash, size });
  try {
    if (room === undefined && size <= limits.readBytesMax) return await handle.read({ start: 0, end: size });
    const whole = room ?? new Uint8Array(size);
    for (let start = 0; start < size; start += limits.readBytesMax) {
      const end = Math.min(start + limits.readBytesMax, size);
      await readInto(whole.subarray(start, end), handle, { start, end });
    }
    return whole;
  } finally {
    await handle.close();
  }
}

function notFound({ hash, size }: Pick<Digest, 'hash' | 'size'>): CairnError {
  return new CairnError('not_found', `no blob ${formatHash(hash)} of ${size} bytes`);
}
