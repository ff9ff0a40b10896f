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
  refuseTooMany(items.length, limits.batchItemsCountMax, 'items');
  const bytes = items.reduce((sum, { data }) => sum + data.length, 0);
  if (bytes > limits.batchWriteAcceptedBytesMax) {
    throw new CairnError('too_large', `${bytes} bytes in one batch, at most ${limits.batchWriteAcceptedBytesMax}`);
  }
  const named = items.map(toNamedBlob);
  const blobs = named.filter((blob) => !(blob instanceof CairnError)) as NamedBlob[];
  const answers = await store.writeMany(blobs, { signal });
  const canceled = signal.aborted && answers.find((answer) => answer instanceof CairnError);
  if (canceled) throw canceled;
  const wasThere = presenceBefore(answers);
  let next = 0;
  return {
    items: items.map(({ digest }, index) => {
      const refused = named[index] instanceof CairnError ? named[index] : undefined;
      const answer = refused ?? answers[next++]!;
      if (answer instanceof CairnError) return writtenItem(digest, itemFailure(answer, errors), false);
      return writtenItem(digest, itemSuccess, answer.existed && wasThere(answer.digest));
    }),
  };
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

function toNamedBlob({ digest: message, data }: BatchWriteRequest_Item): NamedBlob | CairnError {
  try {
    const digest = fromDigestMessage(message);
    if (digest.size === data.length) return { digest, bytes: data };
    return new CairnError('digest_mismatch', `expected ${digest.size} bytes, got ${data.length}`);
  } catch (error) {
    if (error instanceof CairnError) return error;
    throw error;
  }
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
