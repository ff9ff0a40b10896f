// BlobService.BatchWrite: many small blobs in one message, each with its own fate. The store takes all at once, so that
// they share group commits; the message bounds their bytes.

import type { BlobStore, NamedBlob } from '../../base/blob-store.js';
import { type Digest, digestKey } from '../../base/digest.js';
import { CairnError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type {
  BatchWriteRequest,
  BatchWriteRequest_Item,
  BatchWriteResponse_Item,
  ItemStatus,
} from '../../gen/cairn/v1/blob_service_pb.js';
import type { BatchCall } from './batch-call.js';
import { fromDigestMessage } from './digest-message.js';
import { itemFailure, itemSuccess } from './item-status.js';
import { refuseTooMany } from './missing-digests.js';

/**
 * `too_large` for more than `batchItemsCountMax` items or `batchWriteAcceptedBytesMax` bytes, `unavailable` when the store
 * is closed; everything else is the status of an item. A blob that is there already is a success.
 */
export async function batchWrite(
  store: BlobStore,
  { items }: BatchWriteRequest,
  { signal, errors }: BatchCall,
): Promise<{ items: BatchWriteResponse_Item[] }> {
  refuseLargeBatch(
    items.length,
    items.reduce((sum, { data }) => sum + data.length, 0),
  );
  const outcomes = await writeBatch(store, items.map(toNamedBlob), signal);
  return batchWritten(
    items.map(({ digest }) => digest),
    outcomes,
    errors,
  );
}

/** The answer, in which every digest is repeated. */
export function batchWritten(
  digests: readonly BatchWriteResponse_Item['digest'][],
  outcomes: readonly (boolean | CairnError)[],
  errors: BatchCall['errors'],
): { items: BatchWriteResponse_Item[] } {
  return {
    items: outcomes.map((outcome, index) => {
      if (outcome instanceof CairnError) return writtenItem(digests[index], itemFailure(outcome, errors), false);
      return writtenItem(digests[index], itemSuccess, outcome);
    }),
  };
}

/** `too_large` for what is more than one batch. */
export function refuseLargeBatch(count: number, bytes: number): void {
  refuseTooMany(count, limits.batchItemsCountMax, 'items');
  if (bytes > limits.batchWriteAcceptedBytesMax) {
    throw new CairnError('too_large', `${bytes} bytes in one batch, at most ${limits.batchWriteAcceptedBytesMax}`);
  }
}

/** For each blob, in order: was it there before, or why is it not stored. Errors among the blobs are their own outcomes. */
export async function writeBatch(
  store: BlobStore,
  blobs: readonly (NamedBlob | CairnError)[],
  signal: AbortSignal,
): Promise<(boolean | CairnError)[]> {
  const named = blobs.filter((blob) => !(blob instanceof CairnError)) as NamedBlob[];
  const answers = await store.writeMany(named, { signal });
  const canceled = signal.aborted && answers.find((answer) => answer instanceof CairnError);
  if (canceled) throw canceled;
  const wasThere = presenceBefore(answers);
  let next = 0;
  return blobs.map((blob) => {
    if (blob instanceof CairnError) return blob;
    const answer = answers[next++]!;
    return answer instanceof CairnError ? answer : answer.existed && wasThere(answer.digest);
  });
}

/** A message as `create` would make it, at a fraction of the time. */
function writtenItem(
  digest: BatchWriteResponse_Item['digest'],
  status: ItemStatus,
  existed: boolean,
): BatchWriteResponse_Item {
  const item = { $typeName: 'cairn.v1.BatchWriteResponse.Item', status, existed } as const;
  return digest === undefined ? item : { ...item, digest };
}

function toNamedBlob({ digest, data }: BatchWriteRequest_Item): NamedBlob | CairnError {
  try {
    return checkedBlob({ digest: fromDigestMessage(digest), bytes: data });
  } catch (error) {
    if (error instanceof CairnError) return error;
    throw error;
  }
}

/** `digest_mismatch` when the bytes are more or fewer than declared. */
export function checkedBlob(blob: NamedBlob): NamedBlob | CairnError {
  if (blob.digest.size === blob.bytes.length) return blob;
  return new CairnError('digest_mismatch', `expected ${blob.digest.size} bytes, got ${blob.bytes.length}`);
}

/** Whether a blob that existed was there before the call: of two equal items neither was. */
function presenceBefore(answers: Awaited<ReturnType<BlobStore['writeMany']>>): (digest: Digest) => boolean {
  const existed = (answer: (typeof answers)[number]) => !(answer instanceof CairnError) && answer.existed;
  if (!answers.some(existed) || answers.every(existed)) return () => true;
  const brought = new Set<string>();
  for (const answer of answers) {
    if (!(answer instanceof CairnError) && !answer.existed) brought.add(digestKey(answer.digest));
  }
  return (digest) => !brought.has(digestKey(digest));
}
